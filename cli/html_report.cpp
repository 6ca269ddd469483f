#include <bitgrad/cli/html_report.hpp>

#include <algorithm>

#include <bitgrad/cli/configuration.hpp>
#include <bitgrad/cli/html.hpp>
#include <bitgrad/cli/html_style.hpp>
#include <bitgrad/cli/option_kinds.hpp>
#include <bitgrad/cli/progress.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/cli/svg.hpp>
#include <bitgrad/cli/text_table.hpp>
#include <bitgrad/core/error.hpp>

namespace bitgrad::cli {
namespace {

std::string cells(const char* name, const std::vector<std::string>& contents) {
  std::string row;
  for (const std::string& content : contents) row += element(name, "", content);
  return element("tr", "", row);
}

std::string table(const std::vector<std::string>& header, const std::string& rows) {
  return element("div", "class=\"scroll\"",
                 element("table", "", element("thead", "", cells("th", header)) + element("tbody", "", rows)));
}

std::string percent(double value) { return format("%.2f %%", value); }

std::string bytes(std::int64_t count) {
  return count < 1024 ? std::to_string(count) + " B" : format("%.1f KiB", static_cast<double>(count) / 1024);
}

std::string bits(int count) { return count == 32 ? "float" : std::to_string(count); }

// ---- all runs together ----

std::string overview(const std::vector<FinishedRun>& runs) {
  std::string rows;
  for (const FinishedRun& run : runs) {
    const Report& r = run.report;
    rows += cells("td", {escaped(run.name), escaped(r.model), bits_of(r), percent(r.float_accuracy),
                         message("<b>", percent(r.converted_accuracy), "</b>"),
                         format("%+.2f", r.converted_accuracy - r.float_accuracy), bytes(r.quantized_bytes),
                         r.codes_compared > 0 ? grouped(r.differing_codes) : "&ndash;", duration(r.seconds)});
  }
  return table({"run", "model", "bits W / A", "float", "converted", "change", "weights", "differing codes", "training"},
               rows);
}

/// Below the table; each change in it is of one run, but people compare the rows.
std::string note_on_images(const std::vector<FinishedRun>& runs) {
  std::vector<NamedReport> reports;
  for (const FinishedRun& run : runs) reports.push_back({run.name, &run.report});
  const std::string images = different_images(reports);
  return images.empty() ? "" : element("p", "class=\"note\"", "Not tested on the same images: " + escaped(images));
}

/// A stage of a run as a line; quantized epochs follow the float ones and are dashed.
std::vector<Series> curves(const std::vector<FinishedRun>& runs, double EpochMetrics::*value, const char* suffix = "",
                           int colour_step = 0) {
  std::vector<Series> result;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    double offset = 0;
    for (const char* stage : {"float", "quantized"}) {
      const bool quantized = std::string_view(stage) == "quantized";
      Series series{.name = (runs.size() > 1 ? runs[i].name + ", " : "") + stage + suffix,
                    .colour = static_cast<int>(i) + colour_step,
                    .dashed = quantized,
                    .points = {}};
      for (const EpochMetrics& row : runs[i].epochs)
        if (row.stage == stage) series.points.emplace_back(offset + static_cast<double>(row.epoch), row.*value);
      if (!series.points.empty()) offset = series.points.back().first;
      if (!series.points.empty()) result.push_back(std::move(series));
    }
  }
  return result;
}

/// Whether a number of the run's options is not zero.
bool is_on(const FinishedRun& run, const char* option) {
  const auto found = run.options.find(option);
  double value = 0;
  return found != run.options.end() && read_number(found->second, value) == std::errc() && value != 0;
}

/// What the loss is made of. With a teacher it does not compare with that of other runs.
std::string loss_of(const std::vector<FinishedRun>& runs) {
  std::string names;
  for (const FinishedRun& run : runs)
    if (run.report.qat_epochs > 0 && is_on(run, "distill")) names += message(names.empty() ? "" : ", ", run.name);
  if (names.empty()) return "cross entropy";
  return "cross entropy, and distance to the teacher" + (runs.size() > 1 ? " in " + names : "");
}

std::string learning_curves(const std::vector<FinishedRun>& runs) {
  std::vector<Series> accuracy = curves(runs, &EpochMetrics::test_accuracy, runs.size() > 1 ? "" : " test");
  if (runs.size() == 1) {
    const auto training = curves(runs, &EpochMetrics::train_accuracy, " training", 1);
    accuracy.insert(accuracy.end(), training.begin(), training.end());
  }
  const auto loss = curves(runs, &EpochMetrics::train_loss), rate = curves(runs, &EpochMetrics::learning_rate);
  if (loss.empty()) return element("p", "class=\"note\"", "Nothing was trained: there are no curves.");
  return element("div", "class=\"charts\"",
                 line_chart(accuracy, "Accuracy", runs.size() > 1 ? "test, %" : "%") +
                     line_chart(loss, "Training loss", loss_of(runs)) + line_chart(rate, "Learning rate", ""));
}

// ---- one run ----

const QuantizedTensor* find_tensor(const RunDetails& details, const std::string& name) {
  const auto found = std::ranges::find(details.tensors, name, &QuantizedTensor::tensor);
  return found == details.tensors.end() ? nullptr : &*found;
}

std::string shape_text(const Shape& shape) {
  std::string text;
  for (const Index extent : shape.extents()) text += (text.empty() ? "" : " &times; ") + std::to_string(extent);
  return text;
}

/// What float32 itself loses of a value is 144 dB below it.
constexpr double float32_sqnr = 140;

std::string decibels(double sqnr) { return sqnr >= float32_sqnr ? "exact" : format("%.1f dB", sqnr); }

/// The sum of the parameters of the rows need not be that of those which were trained.
std::string note_on_parameters(std::int64_t shown, const Report& report) {
  if (shown == report.parameters) return "";
  return element("p", "class=\"note\"",
                 message("Trained were ", grouped(report.parameters), " parameters; ",
                         report.quantized() ? "conversion makes batch normalization part of kernels and biases."
                                            : "those of batch normalization have no rows here."));
}

std::string layer_table(const RunDetails& details, const Report& report) {
  // Reports of before have no biases.
  const bool biases = std::ranges::any_of(details.layers, [](const LayerCost& layer) { return layer.biases > 0; });
  std::string rows;
  std::int64_t parameters = 0, macs = 0, size = 0;
  for (const LayerCost& layer : details.layers) {
    const QuantizedTensor* kernel = find_tensor(details, layer.layer + "/kernel");
    rows += cells("td", {escaped(layer.layer), shape_text(layer.output_shape), bits(layer.weight_bits),
                         kernel ? shown(kernel->low, 3) + " &hellip; " + shown(kernel->high, 3) : "",
                         kernel ? format("%.2f %%", 100 * kernel->clipped) : "", kernel ? decibels(kernel->sqnr) : "",
                         grouped(layer.parameters + layer.biases), bytes(layer.bytes), grouped(layer.macs)});
    parameters += layer.parameters + layer.biases;
    macs += layer.macs;
    size += layer.bytes;
  }
  rows += element(
      "tr", "class=\"sum\"",
      message("<td>all</td><td></td><td></td><td></td><td></td><td></td>", element("td", "", grouped(parameters))) +
          element("td", "", bytes(size)) + element("td", "", grouped(macs)));
  return table({"layer", "output", "weight bits", "grid", "clipped", "SQNR", biases ? "parameters" : "kernel", "bytes",
                "MACs"},
               rows) +
         (biases ? note_on_parameters(parameters, report) : "");
}

std::string activation_table(const RunDetails& details) {
  std::string rows;
  for (const QuantizedTensor& t : details.tensors)
    if (!t.weights)
      rows += cells("td", {escaped(t.tensor), std::to_string(t.bits), shown(t.low, 3) + " &hellip; " + shown(t.high, 3),
                           shown(t.minimum, 3) + " &hellip; " + shown(t.maximum, 3), format("%.2f %%", 100 * t.clipped),
                           decibels(t.sqnr)});
  return rows.empty() ? "" : table({"tensor", "bits", "grid", "values", "clipped", "SQNR"}, rows);
}

std::string histograms(const RunDetails& details, bool weights) {
  std::string tiles;
  for (const QuantizedTensor& t : details.tensors) {
    if (t.weights != weights) continue;
    const std::string facts =
        message(t.bits, t.bits == 1 ? " bit" : " bits", t.per_channel ? " per channel" : "", " &middot; clipped ",
                format("%.2f %%", 100 * t.clipped), " &middot; ", decibels(t.sqnr));
    tiles += element("div", "class=\"tile\"",
                     element("h3", "", escaped(t.tensor)) + element("p", "", facts) + histogram_chart(t));
  }
  return element("div", "class=\"tiles\"", tiles);
}

std::string confusion_figure(const RunDetails& details) {
  return element("figure", "class=\"chart\"",
                 element("div", "class=\"scroll\"", confusion_chart(details.confusion, details.class_names)) +
                     element("figcaption", "",
                             "Rows are labels, columns predictions; the shade is the share of the row. Point at a cell "
                             "for its numbers."));
}

std::string mistakes(const RunDetails& details) {
  const auto name = [&](int c) { return escaped(details.class_names[static_cast<std::size_t>(c)]); };
  std::string figures;
  for (const Mistake& m : details.mistakes) {
    const std::string picture =
        m.picture.empty() ? ""
                          : message("<img alt=\"image ", m.image, "\" src=\"data:image/png;base64,", m.picture, "\">");
    figures += element("figure", "",
                       picture + element("figcaption", "",
                                         message(name(m.prediction), format(" %.0f %%", 100 * m.probability),
                                                 "<span>is ", name(m.label), "</span>")));
  }
  return figures.empty()
             ? element("p", "class=\"note\"", "None: every test image is classified right.")
             : element("div", "class=\"mistakes\" role=\"group\" aria-label=\"The most certain mistakes\"", figures);
}

/// How it was trained, from run.json.
std::string recipe(const FinishedRun& run) {
  const auto given = [&](const char* name) {
    const auto found = run.options.find(name);
    return found == run.options.end() ? std::string() : escaped(found->second);
  };
  std::string text = given("from").empty() ? "" : message(", from ", given("from"));
  const auto add = [&](const char* name) {
    if (!given(name).empty()) text += message(", ", name, ' ', given(name));
  };
  const Report& report = run.report;
  if (report.epochs + report.qat_epochs == 0) return text;
  for (const char* name : {"optimizer", "schedule"}) add(name);
  if (report.epochs > 0) add("lr");
  if (report.qat_epochs > 0) add("qat-lr");
  for (const char* name : {"batch", "augment"}) add(name);
  for (const char* name : {"mixup", "label-smoothing", "weight-decay"})
    if (is_on(run, name)) add(name);
  if (report.qat_epochs == 0) return text;
  add("freeze-batch-norm");
  for (const char* name : {"activation-delay", "distill"})
    if (is_on(run, name)) add(name);
  return text;
}

std::string all_options(const FinishedRun& run) {
  std::string rows;
  for (const auto& [name, value] : run.options) rows += cells("td", {escaped(name), escaped(value)});
  return rows.empty()
             ? ""
             : element("details", "", element("summary", "", "All options") + table({"option", "value"}, rows));
}

std::string section(const FinishedRun& run) {
  const Report& r = run.report;
  std::string html = element("h2", "", escaped(run.name));
  html += element(
      "p", "class=\"note\"",
      message(escaped(r.model), " on ", escaped(r.data), ", ", r.epochs, " epochs",
              r.qat_epochs > 0 ? message(" and ", r.qat_epochs, " with quantizers") : "", ", seed ", r.seed,
              recipe(run),
              r.quantized() ? message("; weights ", escaped(r.weights), ", activations ", escaped(r.activations)) : "",
              r.gradual.empty() ? "" : message(", bits:epochs ", escaped(r.gradual)),
              r.ema > 0 ? message("; a moving average of the weights, decay ", shown(r.ema, 6)) : "",
              r.hold_out ? message("; accuracies are of the ", shown(100 * *r.hold_out, 3),
                                   " % of the training images that were held out")
                         : "",
              ". Float weights take ", bytes(r.float_bytes), ", these ", bytes(r.quantized_bytes), "."));
  html += all_options(run);
  if (!r.details)
    return html + element("p", "class=\"note\"", "This run's report.json is from before details were kept.");
  const RunDetails& details = *r.details;
  html += element("h4", "", "Layers") + layer_table(details, r);
  if (!details.tensors.empty()) {
    html += element("p", "class=\"note\"",
                    "Grid: the least and the greatest value that the weights can take. Clipped: weights beyond it. "
                    "SQNR: signal to quantization noise.");
    html += element("h4", "", "Weights before and after quantization");
    html += element(
        "p", "class=\"note\"",
        "<span class=\"swatch\" style=\"background:var(--before)\"></span>float values &ensp;"
        "<span class=\"swatch\" style=\"background:var(--after)\"></span>on the grid. The unit is a step of the "
        "(channel's) grid; ticks are its levels, dashed lines where clipping begins.");
    html += histograms(details, true);
    html += element("h4", "", "Activations") + activation_table(details) + "<br>" + histograms(details, false);
  }
  html += element("h4", "", "Confusion matrix") + confusion_figure(details);
  html += element("h4", "", "The most certain mistakes");
  html += element("p", "class=\"note\"",
                  message("What the converted model took ", r.hold_out ? "a held-out" : "a test",
                          " image for, with its probability, and what it is."));
  return html + mistakes(details);
}

}  // namespace

FinishedRun read_run(const io::Path& directory) {
  const RunDirectory run{directory};
  return {run.name(), read_report(run), MetricsFile(run.metrics()).rows(), configured_options(run.configuration())};
}

std::string html_report(const std::vector<FinishedRun>& runs) {
  if (runs.empty()) fail<ValueError>("html_report: there are no runs");
  const std::string title = runs.size() == 1 ? runs.front().name : message(runs.size(), " runs");
  std::string body = element("h1", "", escaped(title)) + element("p", "class=\"note\"", "bitgrad report");
  body += overview(runs) + note_on_images(runs) + learning_curves(runs);
  for (const FinishedRun& run : runs) body += section(run);
  return message(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"><title>",
      escaped(title), " &middot; bitgrad</title><style>", report_style, "</style></head>\n<body><main>", body,
      "</main></body></html>\n");
}

}  // namespace bitgrad::cli
