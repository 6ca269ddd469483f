// report.html, and the numbers that it shows.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <bitgrad/cli/html.hpp>
#include <bitgrad/cli/html_report.hpp>
#include <bitgrad/cli/svg.hpp>
#include <bitgrad/core/io/image.hpp>
#include <bitgrad/qat/inference/graph.hpp>
#include "support.hpp"

using namespace bitgrad;
using Catch::Matchers::Contains;
using support::Outcome;
using support::Workshop;

namespace {

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t result = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++result;
  return result;
}

/// Every element that is opened is closed, in order.
bool well_formed(const std::string& html) {
  std::vector<std::string> open;
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const std::size_t end = html.find('>', at);
    if (end == std::string::npos) return false;
    const bool closes = html[at + 1] == '/';
    const std::size_t start = at + (closes ? 2 : 1);
    const std::string name = html.substr(start, html.find_first_of(" />", start) - start);
    if (name == "!doctype" || name == "meta" || name == "img" || name == "br" || html[end - 1] == '/') continue;
    if (!closes) {
      open.push_back(name);
    } else {
      if (open.empty() || open.back() != name) return false;
      open.pop_back();
    }
  }
  return open.empty();
}

}  // namespace

TEST_CASE("every run leaves a page that needs nothing else, and several are compared on one") {
  const Workshop shop(64);
  REQUIRE(shop.train("w4a4", support::w4a4).code == 0);
  REQUIRE(shop.train("hard", {"--model", "mlp", "--epochs", "1", "--lr", "0.000001"}).code == 0);
  const std::string page = shop.text("w4a4/report.html");
  CHECK(well_formed(page));
  for (const char* part : {"<script", "http:", "https:", "\"nan", " nan", ">nan", ">inf"}) {
    INFO(part);
    CHECK(page.find(part) == std::string::npos);
  }
  for (const char* part : {"conv1/kernel", "relu1/out", "Confusion matrix", "Training loss", "Learning rate",
                           "prefers-color-scheme", "fashion_cnn on ", ", optimizer adam, schedule cosine, lr ",
                           "All options", "<td>first-last-bits</td><td>8</td>"})
    CHECK_THAT(page, Contains(part));
  CHECK(count(page, "before and after quantization\">") == 10);  // five kernels, five activations
  const std::string hard = shop.text("hard/report.html");
  CHECK(count(hard, "data:image/png;base64,iVBOR") > 3);

  const Outcome outcome =
      support::run_cli({"report", shop.path("w4a4"), shop.path("hard") + "/", "--out", shop.path("both.html")});
  CHECK(outcome.err == "");
  CHECK(outcome.code == 0);
  const std::string both = shop.text("both.html");
  CHECK(well_formed(both));
  CHECK_THAT(both, Contains(">2 runs<") && Contains("w4a4, quantized") && Contains("hard, float"));
  CHECK(support::run_cli({"report", shop.path("w4a4"), shop.path("hard")}).code == 2);
  const Outcome missing = support::run_cli({"report", shop.path("nowhere")});
  CHECK(missing.code == 1);
  CHECK_THAT(missing.err, Contains("nowhere: no such directory"));
  // Written anew from what the run left.
  REQUIRE(support::run_cli({"report", shop.path("w4a4")}).code == 0);
  CHECK(shop.text("w4a4/report.html") == page);
}

TEST_CASE("the details of a report are those of the graph on the test images") {
  const Workshop shop(64);
  REQUIRE(shop.train("run", support::w4a4).code == 0);
  const cli::FinishedRun run = cli::read_run(shop / "run");
  REQUIRE(run.report.details);
  const cli::RunDetails& details = *run.report.details;
  std::int64_t all = 0, right = 0;
  for (std::size_t i = 0; i < details.confusion.size(); ++i) {
    right += details.confusion[i][i];
    for (const std::int64_t count : details.confusion[i]) all += count;
  }
  CHECK(all == 40);
  CHECK(run.report.converted_accuracy == Approx(100.0 * static_cast<double>(right) / 40));
  CHECK(static_cast<std::int64_t>(details.mistakes.size()) == std::min<std::int64_t>(24, all - right));
  std::int64_t bytes = 0;
  for (const LayerCost& layer : details.layers) bytes += layer.bytes;
  CHECK(bytes == run.report.quantized_bytes);
  CHECK(details.layers.front().layer == "conv1");
  CHECK(details.layers.front().macs == 8 * 8 * 3 * 3 * 1 * 16);
  CHECK(details.layers.front().weight_bits == 8);
  CHECK(details.layers[1].weight_bits == 4);
  CHECK(details.layers.back().macs == details.layers.back().parameters);
  REQUIRE(details.tensors.size() == 10);
  for (const QuantizedTensor& tensor : details.tensors) {
    INFO(tensor.tensor);
    std::int64_t before = 0, after = 0;
    for (const std::int64_t count : tensor.before.counts) before += count;
    for (const std::int64_t count : tensor.after.counts) after += count;
    CHECK(before == after);
    CHECK(before > 0);
    CHECK(tensor.low < tensor.high);
    CHECK(tensor.sqnr > 3);
    CHECK(tensor.clipped < 0.5);
  }
  CHECK(cli::to_json(cli::details_from_json(cli::to_json(details), "text")) == cli::to_json(details));
  CHECK_THROWS_WITH(cli::details_from_json("{}", "report.json"), Contains("report.json: \"class_names\" is missing"));
}

TEST_CASE("names cannot break out of the page") {
  CHECK(cli::escaped("<b a='x'>&\"") == "&lt;b a=&#39;x&#39;&gt;&amp;&quot;");
  cli::FinishedRun run{"<script>", {}, {}, {}};
  run.report.model = "\"><img src=x>";
  CHECK_THAT(cli::html_report({run}), !Contains("<script>") && !Contains("<img src=x>"));
  CHECK_THROWS_AS(cli::html_report({}), ValueError);
}

TEST_CASE("line charts of one point, of equal values and of nothing") {
  CHECK(cli::line_chart({}, "t", "") == "");
  CHECK_THAT(cli::line_chart({{"a", 0, false, {{1, 5}}}}, "t", ""), Contains("<circle") && !Contains("nan"));
  CHECK_THAT(cli::line_chart({{"a", 0, true, {{1, 5}, {2, 5}}}}, "t", "%"), Contains("dashed") && !Contains("nan"));
}
