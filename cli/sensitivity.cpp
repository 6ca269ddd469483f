// bitgrad sensitivity and bitgrad allocate
#include <CLI/App.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include <bitgrad/cli/commands.hpp>
#include <bitgrad/cli/limited_data.hpp>
#include <bitgrad/cli/parse.hpp>
#include <bitgrad/cli/run_data.hpp>
#include <bitgrad/cli/run_directory.hpp>
#include <bitgrad/cli/text_table.hpp>
#include <bitgrad/cli/threads.hpp>
#include <bitgrad/qat/checkpoint.hpp>
#include <bitgrad/qat/quantization_config.hpp>
#include <bitgrad/qat/sensitivity.hpp>

namespace bitgrad::cli {
namespace {

constexpr const char* sensitivity_help =
    R"(The kernel of one layer at a time is quantized, calibrated and not trained, with everything else in float. Rows are in
the order of what the fewest bits cost: the first layers need most bits. DIR/sensitivity.json keeps the numbers for
bitgrad allocate. The model is the float model that the run came to (with --best its best epoch), the data are its
training images without those of --hold-out: what a model is tested on is for the end.

Examples:
    bitgrad sensitivity runs/float
    bitgrad sensitivity runs/float --bits 2,3,4 --weights lsq-pot:8 --limit 4000)";

constexpr const char* allocate_help =
    R"(Chooses the bits of each kernel from DIR/sensitivity.json so that the sum of the losses is least under the budget. The
file names the quantizer that was measured with them: train takes it, whatever its --weights.

Examples:
    bitgrad allocate runs/float --bytes 30000 --out bits.json
    bitgrad train --from runs/float --bits bits.json --activations lsq:8 --qat-epochs 4 \
        --out runs/mixed)";

io::Path sensitivity_file(const std::string& directory) { return RunDirectory{directory}.sensitivity(); }

struct SensitivityCommand {
  std::string directory, weights = "lsq:8";
  std::optional<std::string> data;
  std::vector<int> bits{2, 3, 4, 6, 8};
  Index limit = 1000;
  int threads = 0;

  void run() const {
    if (data) require_dataset(*data);
    const auto spec = parse_spec();
    for (const int width : bits)
      if (width < 1 || width > 16) fail<UsageError>("--bits ", width, ": expected 1 to 16");
    if (limit < 0) fail<UsageError>("--limit ", limit, ": expected 0 (all images) or more");
    use_threads(threads);
    const RunDirectory run{directory};
    run.require(run.report());
    const Model model = restore_model(read_checkpoint(run.float_result()));
    io::require_writable(sensitivity_file(directory));
    const data::Dataset images = limited(training_images(run, data.value_or(data_of(run))), limit);
    const Sensitivity result = weight_sensitivity(model, images, bits, spec);
    io::write_file_atomically(sensitivity_file(directory), result.to_json() + "\n");
    print(result, images.size());
  }

 private:
  QuantizerSpec parse_spec() const {
    if (const auto spec = parse("--weights", weights, parse_quantizer_spec)) return *spec;
    throw UsageError("--weights none: there is nothing to measure");
  }

  void print(const Sensitivity& result, Index images) const {
    const std::size_t widths = bits.size(), layers = result.layers.size() / widths;
    const auto least = static_cast<std::size_t>(std::ranges::min_element(bits) - bits.begin());
    std::vector<std::size_t> order(layers);
    for (std::size_t i = 0; i < layers; ++i) order[i] = i;
    std::ranges::stable_sort(order, std::greater{},
                             [&](std::size_t i) { return result.layers[i * widths + least].loss; });
    std::vector<Row> rows{{"layer"}};
    for (const int width : bits) rows.front().push_back(std::to_string(width) + (width == 1 ? " bit" : " bits"));
    for (const std::size_t i : order) {
      rows.push_back({result.layers[i * widths].layer});
      for (std::size_t k = 0; k < widths; ++k)
        rows.back().push_back(format("%+.4f", result.layers[i * widths + k].loss));
    }
    std::cout << text_table(rows) << "loss more than the float model's " << format("%.4f", result.loss) << " (accuracy "
              << format("%.2f", 100 * result.accuracy) << " %) on " << images << " training images; "
              << sensitivity_file(directory).string() << std::endl;
  }
};

struct AllocateCommand {
  std::string directory, out;
  std::optional<double> bytes, macs;

  void run() const {
    if (bytes.has_value() == macs.has_value()) throw UsageError("allocate: give either --bytes N or --macs N");
    const io::Path file = sensitivity_file(directory);
    if (!std::filesystem::exists(file)) {
      const RunDirectory run{directory};
      run.require(run.report());
      fail<IoError>(file.string(), " is missing: bitgrad sensitivity ", directory, " measures it");
    }
    const Sensitivity sensitivity = Sensitivity::from_json(io::read_text_file(file), file.string());
    const Budget budget = bytes ? Budget::bytes : Budget::macs;
    const auto chosen = allocate_bits(sensitivity, budget, bytes ? *bytes : *macs);
    std::vector<LayerOverride> rules;
    std::vector<Row> rows{{"layer", "bits", bytes ? "bytes" : "MACs x bits / 8", "loss"}};
    double total = 0, loss = 0;
    for (const LayerSensitivity& layer : chosen) {
      QuantizerSpec weights = sensitivity.weights;
      weights.bits = layer.bits;
      rules.push_back({.pattern = layer.layer, .weights = weights});
      rows.push_back({layer.layer, std::to_string(layer.bits), format("%.0f", cost_of(layer, budget)),
                      format("%+.4f", layer.loss)});
      total += cost_of(layer, budget);
      loss += layer.loss;
    }
    rows.push_back({"all", "", format("%.0f", total), format("%+.4f", loss)});
    io::write_file_atomically(out, bits_json(rules) + "\n");
    std::cout << text_table(rows) << out << std::endl;
  }
};

}  // namespace

void add_sensitivity_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("sensitivity", "Measure what few bits cost, layer by layer");
  command->footer(sensitivity_help);
  const auto options = std::make_shared<SensitivityCommand>();
  command->add_option("DIR", options->directory, "A directory that bitgrad train wrote")->required();
  command->add_option("--data", options->data, message(data_help, " (the run's)"))->type_name("NAME|PATH");
  command->add_option("--bits", options->bits, "Bit widths, joined by commas")
      ->delimiter(',')
      ->type_name("N,...")
      ->capture_default_str();
  command->add_option("--weights", options->weights, "Quantizer; its bits do not matter")
      ->type_name("SPEC")
      ->capture_default_str();
  command->add_option("--limit", options->limit, "Training images to measure on; 0: all")
      ->type_name("N")
      ->capture_default_str();
  declare_threads(*command, options->threads);
  command->callback([options] { options->run(); });
}

void add_allocate_command(CLI::App& program) {
  CLI::App* command = program.add_subcommand("allocate", "Choose bits per layer under a budget");
  command->footer(allocate_help);
  const auto options = std::make_shared<AllocateCommand>();
  command->add_option("DIR", options->directory, "A directory that bitgrad sensitivity measured")->required();
  command->add_option("--bytes", options->bytes, "Most bytes of all weights")->type_name("N");
  command->add_option("--macs", options->macs, "Most multiply-adds per image, in units of 8 bits: MACs x bits / 8")
      ->type_name("N");
  command->add_option("--out", options->out, "The file for train --bits")->type_name("FILE")->required();
  command->callback([options] { options->run(); });
}

}  // namespace bitgrad::cli
