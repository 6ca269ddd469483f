// bitgrad lr-range
#include <CLI/App.hpp>
#include <cmath>
#include <iostream>
#include <memory>
#include <sstream>

#include <bitgrad/cli/check_training.hpp>
#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/html.hpp>
#include <bitgrad/cli/html_style.hpp>
#include <bitgrad/cli/idle_options.hpp>
#include <bitgrad/cli/limited_data.hpp>
#include <bitgrad/cli/names.hpp>
#include <bitgrad/cli/option_kinds.hpp>
#include <bitgrad/cli/parse.hpp>
#include <bitgrad/cli/svg.hpp>
#include <bitgrad/cli/text_table.hpp>
#include <bitgrad/cli/threads.hpp>
#include <bitgrad/core/data/augmentation.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/learning_rate_range.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* help =
    R"(Trains a model from random weights, the learning rate rising from step to step by the same factor (Smith, 2017), until
the smoothed loss is four times its lowest or --steps are done. The suggestion, a tenth of the rate at the lowest
smoothed loss, is one for train --lr, the highest rate of a schedule. It holds for the options given here: give those of
the training.

Examples:
    bitgrad lr-range --data fashion-mnist --model fashion_cnn
    bitgrad lr-range --data cifar10 --model resnet8 --augment flip,crop:4 --optimizer sgd --highest 10 --html range.html)";

constexpr std::size_t most_rows = 25;

struct LrRangeCommand {
  std::string data = "fashion-mnist", model, csv, html;
  RateRangeOptions range;
  TrainingOptions training;
  Index limit = 0;
  int threads = 0;

  void run(const CLI::App& command) {
    check();
    refuse_idle_options(
        typed_options(command),
        {{"--momentum", training.optimizer == "sgd" || training.optimizer == "rmsprop", "--optimizer sgd or rmsprop"}});
    use_threads(threads);
    const data::Dataset images = load_limited(data, data::Split::train, limit);
    const Shape shape = images.images.shape().without_front();
    Model fresh = models::make(model, shape, images.classes);
    fresh.build(shape, training.seed);
    fresh.load_state_dict(models::normalization_state(fresh, data::channel_statistics(images.images)),
                          LoadMode::partial);
    const RateRange result = learning_rate_range(fresh, images, training, range);
    if (!csv.empty()) io::write_file_atomically(csv, std::string_view(csv_of(result)));
    if (!html.empty()) io::write_file_atomically(html, std::string_view(page(result)));
    std::cout << table(result) << conclusion(result) << std::endl;
  }

 private:
  void check() const {
    require_dataset(data);
    require_model(model);
    require_known("optimizer", training.optimizer, optimizer_names());
    parse("--augment", training.augmentation, data::parse_augmentation);
    if (!(range.from > 0) || !std::isfinite(range.from))
      fail<UsageError>("--lowest ", range.from, ": expected a positive rate");
    if (!(range.to > range.from) || !std::isfinite(range.to))
      fail<UsageError>("--highest ", range.to, ": expected a rate above --lowest, ", range.from);
    if (range.steps < 20) fail<UsageError>("--steps ", range.steps, ": expected at least 20");
    if (limit < 0) fail<UsageError>("--limit ", limit, ": expected 0 (all images) or more");
    check_training(training, TrainedModel::plain);
    for (const std::string& file : {csv, html})
      if (!file.empty()) io::require_writable(file);
  }

  static std::string table(const RateRange& result) {
    std::vector<Row> rows{{"step", "rate", "loss", "smoothed"}};
    const std::size_t count = result.steps.size(), every = (count + most_rows - 1) / most_rows;
    for (std::size_t i = 0; i < count; ++i)
      if (i % every == 0 || i + 1 == count)
        rows.push_back({std::to_string(i + 1), format("%.3g", result.steps[i].rate),
                        format("%.4f", result.steps[i].loss), format("%.4f", result.steps[i].smoothed)});
    return text_table(rows);
  }

  static std::string csv_of(const RateRange& result) {
    std::string text = "step,rate,loss,smoothed\n";
    for (std::size_t i = 0; i < result.steps.size(); ++i) {
      const RateStep& step = result.steps[i];
      text += message(i + 1, ',', shown(step.rate, 6), ',', shown(step.loss, 6), ',', shown(step.smoothed, 6), '\n');
    }
    return text;
  }

  std::string conclusion(const RateRange& result) const {
    if (!result.highest)
      return message("no suggestion: the loss did not fall",
                     result.exploded ? ", and then exploded: give a lower --lowest, or more --steps"
                                     : ": give a higher --highest, or more --steps");
    const bool falling = !result.exploded && result.lowest == result.steps.back().rate;
    return message("suggested --lr ", shown(*result.highest, 2), ": a tenth of ", shown(result.lowest, 2),
                   ", where the loss was lowest; it fell fastest at ", shown(result.steepest, 2),
                   result.exploded ? message(", and exploded at ", shown(result.steps.back().rate, 2)) : "",
                   falling ? "; it was still falling at the end: give a higher --highest" : "");
  }

  std::string page(const RateRange& result) const {
    Series smoothed{.name = "smoothed loss", .colour = 0, .dashed = false, .points = {}},
        raw{.name = "loss of the step", .colour = 1, .dashed = true, .points = {}};
    // Single steps may tower above all others, and the last one explodes: the chart is of the smoothed loss.
    double most = 0;
    for (const RateStep& step : result.steps) most = std::max(most, step.smoothed);
    for (const RateStep& step : result.steps) {
      smoothed.points.emplace_back(std::log10(step.rate), step.smoothed);
      raw.points.emplace_back(std::log10(step.rate), std::min(step.loss, most));
    }
    const std::string title = message("Learning rates of ", model, " on ", data);
    const std::string body =
        element("h1", "", escaped(title)) + element("p", "class=\"note\"", escaped(conclusion(result))) +
        element(
            "p", "class=\"note\"",
            message(training.optimizer, ", batch ", training.batch, ", augmentation ", escaped(training.augmentation),
                    training.mixup > 0 ? message(", mixup ", training.mixup) : "", ", seed ", training.seed)) +
        element("div", "class=\"charts wide\"",
                line_chart({smoothed, raw}, "Loss at rising rates", "cross entropy", Across::rates)) +
        element("p", "class=\"note\"", "Losses of single steps above the largest smoothed one are drawn at the top.");
    return message(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
        "content=\"width=device-width, initial-scale=1\"><title>",
        escaped(title), " &middot; bitgrad</title><style>", report_style, "</style></head>\n<body><main>", body,
        "</main></body></html>\n");
  }
};

}  // namespace

void add_lr_range_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("lr-range", "Find learning rates: the loss at rising ones");
  command->footer(help);
  const auto options = std::make_shared<LrRangeCommand>();
  const auto number = [&](const char* name, auto& value, const char* type, const std::string& text) {
    return command->add_option(name, value, text)->type_name(type)->capture_default_str();
  };
  number("--data", options->data, "NAME|PATH", data_help);
  command->add_option("--model", options->model, model_help())->type_name("NAME")->required();
  number("--lowest", options->range.from, "X", "Rate of the first step");
  number("--highest", options->range.to, "X", "Rate of the last step");
  number("--steps", options->range.steps, "N", "Steps, at least 20");
  number("--optimizer", options->training.optimizer, "NAME", "Optimizer: " + joined(optimizer_names()));
  number("--batch", options->training.batch, "N", "Images per step");
  number("--accumulate", options->training.accumulate, "N", "Batches whose gradients make one step");
  number("--augment", options->training.augmentation, "STEPS", "As in train");
  number("--mixup", options->training.mixup, "X", "As in train");
  number("--momentum", options->training.momentum, "X", "Momentum of sgd and rmsprop");
  number("--weight-decay", options->training.weight_decay, "X", "Weight decay of kernels");
  number("--gradient-clip", options->training.gradient_clip, "X", "Largest norm of all gradients; 0: any");
  number("--label-smoothing", options->training.label_smoothing, "X", "Share of the target spread over all classes");
  number("--seed", options->training.seed, "S", "Seed of weights, order and randomness")->check(whole_number);
  number("--limit", options->limit, "N", "Use only the first N training images; 0: all");
  declare_threads(*command, options->threads);
  command->add_option("--csv", options->csv, "Write all steps into this file")->type_name("FILE");
  command->add_option("--html", options->html, "Write a page with the curve into this file")->type_name("FILE");
  command->callback([options, command] { options->run(*command); });
}

}  // namespace bitgrad::cli
