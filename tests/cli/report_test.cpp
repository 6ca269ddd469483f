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

TEST_CASE("the tables of the page have what the report has, under its heading") {
  cli::FinishedRun run{"run", {}, {}, {}};
  run.report.details = cli::RunDetails{.class_names = {"a", "b"},
                                       .confusion = {{3, 1}, {0, 1234}},
                                       .mistakes = {},
                                       .layers = {{.layer = "conv1",
                                                   .operation = "integer_conv2d",
                                                   .output_shape = {8, 9, 16},
                                                   .weight_bits = 4,
                                                   .output_bits = 8,
                                                   .parameters = 2304,
                                                   .macs = 12345678,
                                                   .bytes = 1536},
                                                  {.layer = "dense1",
                                                   .operation = "float_dense",
                                                   .output_shape = {10},
                                                   .weight_bits = 32,
                                                   .output_bits = 32,
                                                   .parameters = 90,
                                                   .macs = 90,
                                                   .bytes = 400}},
                                       .tensors = {}};
  const auto tensor = [](const std::string& name, bool weights, std::size_t levels) {
    QuantizedTensor result;
    result.tensor = name;
    result.weights = weights;
    result.bits = weights ? 4 : 8;
    result.minimum = -0.25;
    result.maximum = 6;
    result.low = -0.5;
    result.high = 0.4375;
    result.clipped = 0.01234;
    result.sqnr = weights ? 21.34 : lossless_sqnr;
    for (std::size_t i = 0; i < levels; ++i) result.levels.push_back(static_cast<double>(i) - 8);
    result.before = result.after = Histogram{-9, 9, std::vector<std::int64_t>(18, 2)};
    return result;
  };
  run.report.details->tensors = {tensor("conv1/kernel", true, 16), tensor("relu1/out", false, 2)};
  const std::string page = cli::html_report({run});
  CHECK(well_formed(page));
  for (const char* part :
       {"<thead><tr><th>layer</th><th>output</th><th>weight bits</th><th>grid</th><th>clipped</th><th>SQNR</th>"
        "<th>parameters</th><th>bytes</th><th>MACs</th></tr></thead>",
        "<tr><td>conv1</td><td>8 &times; 9 &times; 16</td><td>4</td><td>-0.5 &hellip; 0.438</td><td>1.23 %</td>"
        "<td>21.3 dB</td><td>2,304</td><td>1.5 KiB</td><td>12,345,678</td></tr>",
        "<tr><td>dense1</td><td>10</td><td>float</td><td></td><td></td><td></td><td>90</td><td>400 B</td><td>90</td>",
        "<td>all</td><td></td><td></td><td></td><td></td><td></td><td>2,394</td><td>1.9 KiB</td><td>12,345,768</td>",
        "<thead><tr><th>tensor</th><th>bits</th><th>grid</th><th>values</th><th>clipped</th><th>SQNR</th></tr></thead>",
        "<tr><td>relu1/out</td><td>8</td><td>-0.5 &hellip; 0.438</td><td>-0.25 &hellip; 6</td><td>1.23 %</td>"
        "<td>exact</td></tr>",
        ">1,234</td>"})
    CHECK_THAT(page, Contains(part));
  // Of each histogram the levels, and the two edges beyond which values are clipped.
  CHECK(count(page, "class=\"level\"") == 16 + 2);
  CHECK(count(page, "class=\"edge\"") == 2 + 2);
}

TEST_CASE("a run.json that is broken is the run's fault, not that of the command line") {
  const Workshop shop(32, 8);
  REQUIRE(shop.train("run", {"--model", "mlp", "--epochs", "1"}).code == 0);
  for (const char* text : {"{", "[1]", "", "{\"seed\": 1, \"seed\": 2}"}) {
    io::write_file_atomically(shop / "run/run.json", std::string_view(text));
    for (const char* command : {"report", "sensitivity"}) {
      INFO(command << ' ' << text);
      const Outcome outcome = support::run_cli({command, shop.path("run")});
      CHECK(outcome.code == 1);
      CHECK_THAT(outcome.err, Contains("run.json: ") && Contains("expected a JSON object of options"));
    }
  }
  io::write_file_atomically(shop / "run/run.json", std::string_view(R"({"hold-out": "much"})"));
  const Outcome outcome = support::run_cli({"sensitivity", shop.path("run")});
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.err, Contains("run.json: \"hold-out\" is much, expected a number"));
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
