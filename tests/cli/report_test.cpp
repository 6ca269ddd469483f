// report.html, and the numbers that it shows.
#include <catch2/catch.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include <bitgrad/cli/digest.hpp>
#include <bitgrad/cli/html.hpp>
#include <bitgrad/cli/html_report.hpp>
#include <bitgrad/cli/html_style.hpp>
#include <bitgrad/cli/svg.hpp>
#include <bitgrad/core/data/find.hpp>
#include <bitgrad/core/data/hold_out.hpp>
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

/// What stands between the two, each time.
std::vector<std::string> all_between(const std::string& text, std::string_view before, std::string_view after) {
  std::vector<std::string> found;
  for (std::size_t at = text.find(before); at != std::string::npos; at = text.find(before, at)) {
    at += before.size();
    found.push_back(text.substr(at, text.find(after, at) - at));
  }
  return found;
}

cli::Report tested_on(const std::string& data, std::optional<double> hold_out, const std::string& digest = "") {
  cli::Report report;
  report.data = data;
  report.hold_out = hold_out;
  if (!digest.empty()) report.tested_on = cli::TestedOn{.images = 40, .digest = digest};
  return report;
}

constexpr const char* some_images = "0123456789abcdef";
constexpr const char* other_images = "fedcba9876543210";

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
  CHECK_THAT(page, Contains("role=\"img\" aria-label=\"Confusion matrix of 4 classes: ") &&
                       Contains(" of 40 images right\"") && Contains("<title>0 right: ") && !Contains("<th>0</th>"));
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
  REQUIRE(run.report.tested_on);
  CHECK(run.report.tested_on->images == 40);
  CHECK(run.report.tested_on->digest == cli::digest(data::load_dataset(shop.path("data"), data::Split::test)));
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

TEST_CASE("what ships of a layer adds up to what was trained, and to the bytes") {
  const Workshop shop(64);
  REQUIRE(shop.train("float", {"--model", "mlp", "--epochs", "1"}).code == 0);
  REQUIRE(shop.train("w4", {"--model", "mlp", "--epochs", "1", "--qat-epochs", "1", "--weights", "lsq:4"}).code == 0);
  for (const char* name : {"float", "w4"}) {
    INFO(name);
    const cli::FinishedRun run = cli::read_run(shop / name);
    std::int64_t parameters = 0, bytes = 0;
    for (const LayerCost& layer : run.report.details->layers) {
      CHECK(layer.biases == layer.output_shape[-1]);
      parameters += layer.parameters + layer.biases;
      bytes += layer.bytes;
    }
    CHECK(parameters == run.report.parameters);
    CHECK(bytes == run.report.quantized_bytes);
    CHECK_THAT(shop.text(std::string(name) + "/report.html"),
               Contains("<td>" + cli::grouped(run.report.parameters) + "</td>") && !Contains("Trained were"));
  }
  // Batch normalization was trained and does not ship.
  REQUIRE(shop.train("normalized", {"--model", "fashion_cnn", "--epochs", "1"}).code == 0);
  const std::int64_t trained = cli::read_run(shop / "normalized").report.parameters;
  CHECK_THAT(shop.text("normalized/report.html"), Contains("Trained were " + cli::grouped(trained) +
                                                           " parameters; those of batch normalization have no rows"));
  REQUIRE(shop.train("quantized",
                     {"--from", shop.path("normalized"), "--weights", "lsq:8", "--qat-epochs", "1", "--distill", "0.5"})
              .code == 0);
  CHECK_THAT(
      shop.text("quantized/report.html"),
      Contains("Trained were ") && Contains(" parameters; conversion makes batch normalization part of kernels") &&
          Contains("cross entropy, and distance to the teacher") && Contains(", distill 0.5") && !Contains("mixup 0"));
  CHECK_THAT(shop.text("normalized/report.html"), !Contains("qat-lr 0") && !Contains("teacher"));
}

TEST_CASE("the tables of the page have what the report has, under its heading") {
  cli::FinishedRun run{"run", {}, {}, {}};
  run.report.parameters = 2420;
  run.report.details = cli::RunDetails{.class_names = {"a", "b"},
                                       .confusion = {{3, 1}, {0, 1234}},
                                       .mistakes = {},
                                       .layers = {{.layer = "conv1",
                                                   .operation = "integer_conv2d",
                                                   .output_shape = {8, 9, 16},
                                                   .weight_bits = 4,
                                                   .output_bits = 8,
                                                   .parameters = 2304,
                                                   .biases = 16,
                                                   .macs = 12345678,
                                                   .bytes = 1536},
                                                  {.layer = "dense1",
                                                   .operation = "float_dense",
                                                   .output_shape = {10},
                                                   .weight_bits = 32,
                                                   .output_bits = 32,
                                                   .parameters = 90,
                                                   .biases = 10,
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
        "<td>21.3 dB</td><td>2,320</td><td>1.5 KiB</td><td>12,345,678</td></tr>",
        "<tr><td>dense1</td><td>10</td><td>float</td><td></td><td></td><td></td><td>100</td><td>400 B</td><td>90</td>",
        "<td>all</td><td></td><td></td><td></td><td></td><td></td><td>2,420</td><td>1.9 KiB</td><td>12,345,768</td>",
        "<thead><tr><th>tensor</th><th>bits</th><th>grid</th><th>values</th><th>clipped</th><th>SQNR</th></tr></thead>",
        "<tr><td>relu1/out</td><td>8</td><td>-0.5 &hellip; 0.438</td><td>-0.25 &hellip; 6</td><td>1.23 %</td>"
        "<td>exact</td></tr>",
        ">1,234</text>"})
    CHECK_THAT(page, Contains(part));
  CHECK_THAT(page, !Contains("Trained were"));
  // A report that does not count biases.
  for (LayerCost& layer : run.report.details->layers) layer.biases = 0;
  CHECK_THAT(cli::html_report({run}), Contains("<th>kernel</th><th>bytes</th>") && Contains("<td>2,394</td>") &&
                                          !Contains("<th>parameters</th>") && !Contains("Trained were"));
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

TEST_CASE("accuracies compare when they are of the same images") {
  using cli::tested_alike;
  // By the digest, whatever the data was called.
  CHECK(tested_alike(tested_on("mnist", {}, some_images), tested_on("other", {}, some_images)));
  CHECK_FALSE(tested_alike(tested_on("mnist", {}, some_images), tested_on("mnist", {}, other_images)));
  CHECK_FALSE(tested_alike(tested_on("mnist", 0.1, some_images), tested_on("mnist", 0.1, other_images)));
  // Reports that do not say, or one of two.
  for (const char* digest : {"", some_images}) {
    CHECK(tested_alike(tested_on("mnist", {}), tested_on("mnist", {}, digest)));
    CHECK(tested_alike(tested_on("mnist", 0.1, digest), tested_on("mnist", 0.1)));
    CHECK_FALSE(tested_alike(tested_on("mnist", 0.1), tested_on("mnist", {}, digest)));
    CHECK_FALSE(tested_alike(tested_on("mnist", 0.1), tested_on("mnist", 0.2, digest)));
    CHECK_FALSE(tested_alike(tested_on("mnist", {}), tested_on("cifar10", {}, digest)));
  }
}

TEST_CASE("runs that were tested on different images are named with them") {
  const cli::Report held = tested_on("mnist", 0.125, some_images), test = tested_on("mnist", {}, other_images),
                    before = tested_on("mnist", {});
  CHECK(cli::different_images({}) == "");
  CHECK(cli::different_images({{"a", &held}, {"b", &held}}) == "");
  CHECK(cli::different_images({{"a", &test}, {"b", &before}}) == "");
  CHECK(cli::different_images({{"a", &held}, {"b", &test}, {"c", &held}, {"d", &before}}) ==
        "a, c: held-out 12.5 % of the training images of mnist (40, digest 0123456789abcdef); "
        "b: test images of mnist (40, digest fedcba9876543210); d: test images of mnist");

  cli::FinishedRun a{"a", held, {}, {}}, b{"<b>", test, {}, {}};
  CHECK_THAT(cli::html_report({a, b}),
             Contains("Not tested on the same images: a: held-out 12.5 % of") && Contains("; &lt;b&gt;: test images"));
  CHECK_THAT(cli::html_report({a, a}), !Contains("Not tested on"));
}

TEST_CASE("report.json says which held-out images accuracies are of") {
  const Workshop shop(64, 8);
  const auto train = [&](const std::string& run, const std::string& seed) {
    REQUIRE(shop.train(run, {"--model", "mlp", "--epochs", "1", "--hold-out", "0.25", "--hold-out-seed", seed}).code ==
            0);
    return cli::read_run(shop / run).report;
  };
  const cli::Report one = train("one", "1"), two = train("two", "2");
  const data::Dataset held = data::hold_out(support::tiny_dataset(64, 8, 1), 0.25, 1).held;
  REQUIRE(one.tested_on);
  CHECK(one.tested_on->images == held.size());
  CHECK(one.tested_on->digest == cli::digest(held));
  CHECK_FALSE(cli::tested_alike(one, two));
  CHECK(cli::to_json(cli::report_from_json(cli::to_json(one), "text")) == cli::to_json(one));
  CHECK_THAT(shop.text("one/report.html"), Contains("25 % of the training images that were held out"));
}

TEST_CASE("runs of the same name are told apart by what their paths end in") {
  using Names = std::vector<std::string>;
  CHECK(cli::run_names({}) == Names{});
  CHECK(cli::run_names({"x/f", "y/g/"}) == Names{"f", "g"});
  CHECK(cli::run_names({"x/f", "y/f/"}) == Names{"x/f", "y/f"});
  CHECK(cli::run_names({"/r/x/f", "/r/y/f", "/r/y/g"}) == Names{"x/f", "y/f", "g"});
  CHECK(cli::run_names({"a/x/f", "b/x/f", "c/y/f"}) == Names{"a/x/f", "b/x/f", "y/f"});
  CHECK(cli::run_names({"f", "x/f", "/f"}) == Names{"f", "x/f", "/f"});
  CHECK(cli::run_names({"x/f", "./x//f/", "x/y/../f"}) == Names{"f", "f", "f"});  // the same run
}

TEST_CASE("report and table tell runs of the same name apart") {
  const Workshop shop(32, 8);
  REQUIRE(shop.train("f", {"--model", "mlp", "--epochs", "1"}).code == 0);
  for (const char* place : {"x", "y"}) {
    std::filesystem::create_directory(shop / place);
    std::filesystem::copy(shop / "f", shop / place / "f", std::filesystem::copy_options::recursive);
  }
  REQUIRE(support::run_cli({"report", shop.path("x/f"), shop.path("y/f"), "--out", shop.path("both.html")}).code == 0);
  CHECK_THAT(shop.text("both.html"),
             Contains("<h2>x/f</h2>") && Contains("<h2>y/f</h2>") && Contains(">x/f, float<") && Contains("<td>y/f<"));
  CHECK_THAT(support::run_cli({"table", shop.path("x/f"), shop.path("y/f")}).out,
             Contains("\nx/f ") && Contains("\ny/f ") && Contains("against y/f\n"));
  CHECK_THAT(support::run_cli({"table", shop.path("x/f"), "--baseline", shop.path("y/f")}).out,
             Contains("\nx/f ") && Contains("against y/f\n"));
}

TEST_CASE("48 lines differ, in the chart and in its legend") {
  std::vector<cli::Series> series;
  for (int colour = 0; colour < 24; ++colour)
    for (const bool dashed : {false, true})
      series.push_back({message("line ", series.size()), colour, dashed, {{1, 5}, {2, 6}}});
  const std::string chart = cli::line_chart(series, "t", "%");
  CHECK(well_formed(chart));
  // How each looks, once as a line and once in the legend.
  std::map<std::string, int> looks;
  std::set<std::string> classes;
  for (const std::string& look : all_between(chart, "<g class=\"series", "><path")) {
    ++looks[look];
    classes.insert(look.substr(0, look.find('"')));
  }
  CHECK(looks.size() == 48);
  for (const auto& [look, times] : looks) CHECK(times == 2);
  CHECK(classes.size() == 8);
  classes.erase("");  // the lines without gaps
  CHECK_THAT(chart, Contains("colours come again, with other dashes"));
  series.resize(12);
  CHECK_THAT(cli::line_chart(series, "t", "%"), !Contains("come again") && !Contains("turn-"));
  std::string style(cli::report_style);
  std::ranges::replace(style, '\n', ' ');
  std::set<std::string> patterns;
  for (const std::string& name : classes) {
    std::string selector = name;
    std::ranges::replace(selector, ' ', '.');
    for (const std::string& pattern : all_between(style, " " + selector + " path { stroke-dasharray: ", " }"))
      patterns.insert(pattern);
  }
  CHECK(patterns.size() == 7);
}

TEST_CASE("a confusion matrix of a few classes says every count") {
  const std::string chart = cli::confusion_chart({{3, 1, 0}, {0, 1234, 0}, {0, 0, 0}}, {"cat", "<dog>", "T-shirt/top"});
  CHECK(well_formed(chart));
  CHECK_THAT(chart, Contains("role=\"img\" aria-label=\"Confusion matrix of 3 classes: 1,237 of 1,238 images right\""));
  CHECK(count(chart, "<title>") == 9);
  for (const char* part :
       {"<title>cat right: 3 of 4</title>", "<title>cat taken for &lt;dog&gt;: 1 of 4</title>",
        "<title>&lt;dog&gt; right: 1,234 of 1,234</title>", "<title>T-shirt/top taken for cat: 0 of 0</title>",
        ">1,234</text>", ">prediction</text>", ">label</text>"})
    CHECK_THAT(chart, Contains(part));
  CHECK(count(chart, ">T-shirt/top</text>") == 2);  // of the row and of the column, which leans
  CHECK_THAT(chart, Contains("rotate(-45)"));
  // Shares of rows: 3 of 4, 1 of 4, none, all.
  for (const char* opacity : {"\"0.55\"", "\"0.25\"", "\"0\"", "\"0.7\""})
    CHECK_THAT(chart, Contains(std::string("fill-opacity=") + opacity));
  CHECK_THAT(chart, !Contains("nan"));
  // Two classes of one name are still two.
  CHECK(count(cli::confusion_chart({{1, 2}, {0, 3}}, {"a", "a"}), "<title>a right: ") == 2);
  CHECK(cli::confusion_chart({{5}}, {"only"}).find("nan") == std::string::npos);
  CHECK_THROWS_WITH(cli::confusion_chart({{1, 2}}, {"a", "b"}), Contains("1 rows for 2 classes"));
  CHECK_THROWS_AS(cli::confusion_chart({{1, 2}, {3}}, {"a", "b"}), ValueError);
}

TEST_CASE("a confusion matrix of a hundred classes fits the page") {
  std::vector<std::vector<std::int64_t>> confusion(100, std::vector<std::int64_t>(100));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < 100; ++i) {
    confusion[i][i] = 90;
    confusion[i][(i + 1) % 100] = 10;
    names.push_back("a rather long näme " + std::to_string(i));
  }
  const std::string chart = cli::confusion_chart(confusion, names);
  CHECK(well_formed(chart));
  CHECK(count(chart, "<title>") == 200);
  CHECK_THAT(chart, Contains("a rather long näme 7 taken for a rather long näme 8: 10 of 100") &&
                        Contains(">a rather long n…</text>") && Contains("rotate(-90)") && !Contains(">90</text>"));
  CHECK(std::stoi(all_between(chart, "viewBox=\"0 0 ", " ")[0]) < 1000);
  CHECK(chart.size() < 100'000);
}
