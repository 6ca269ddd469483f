#include <bitgrad/qat/checkpoint.hpp>

#include <charconv>
#include <nlohmann/json.hpp>
#include <vector>

#include <bitgrad/core/error.hpp>
#include <bitgrad/core/io/safetensors.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/plan.hpp>

namespace bitgrad {
namespace {

using Json = nlohmann::json;

constexpr std::string_view format_name = "bitgrad.checkpoint";
constexpr std::string_view format_version = "1";
constexpr std::string_view model_prefix = "model/";
constexpr std::string_view optimizer_prefix = "optimizer/";
constexpr std::string_view progress_prefix = "progress/";

std::string shape_text(const Shape& shape) {
  std::string text;
  for (const Index extent : shape.extents()) {
    if (!text.empty()) text += ',';
    text += std::to_string(extent);
  }
  return text;
}

/// The metadata of one file, read with messages that name the file.
class Fields {
 public:
  Fields(std::string file, const io::Metadata& metadata) : file_(std::move(file)), metadata_(metadata) {}

  const std::string& text(const std::string& key) const {
    const auto found = metadata_.find(key);
    if (found == metadata_.end()) fail<IoError>(file_, ": no bitgrad checkpoint, its metadata lacks \"", key, '"');
    return found->second;
  }

  void require(const std::string& key, std::string_view expected) const {
    if (text(key) != expected)
      fail<IoError>(file_, ": ", key, " of the checkpoint is \"", text(key), "\", expected \"", expected, '"');
  }

  template <class T>
  T number(const std::string& key) const {
    return parse<T>(key, text(key));
  }

  Shape shape(const std::string& key) const {
    std::vector<Index> extents;
    std::string_view rest = text(key);
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      extents.push_back(parse<Index>(key, rest.substr(0, comma)));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    try {
      return Shape(extents);
    } catch (const Error& error) {
      fail<IoError>(file_, ": ", key, ": ", error.what());
    }
  }

 private:
  template <class T>
  T parse(const std::string& key, std::string_view digits) const {
    T value{};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size() || value < T{0})
      fail<IoError>(file_, ": ", key, " of the checkpoint is \"", digits, "\", expected a number");
    return value;
  }

  std::string file_;
  const io::Metadata& metadata_;
};

Json parse_options(std::string_view what, std::string_view text) {
  Json options = Json::parse(text, nullptr, false);
  if (!options.is_object()) fail<ValueError>(what, ": the options are no JSON object: ", text.substr(0, 80));
  return options.flatten();  // "/float/batch": 64
}

std::string shown(const Json& options, const std::string& key) {
  return options.contains(key) ? options[key].dump() : "not set";
}

}  // namespace

io::Bytes format_checkpoint(const Checkpoint& checkpoint) {
  const io::Metadata metadata = {{"format", std::string(format_name)},
                                 {"version", std::string(format_version)},
                                 {"model", checkpoint.model},
                                 {"input_shape", shape_text(checkpoint.input_shape)},
                                 {"classes", std::to_string(checkpoint.classes)},
                                 {"stage", checkpoint.stage},
                                 {"epoch", std::to_string(checkpoint.epoch)},
                                 {"step", std::to_string(checkpoint.step)},
                                 {"seed", std::to_string(checkpoint.seed)},
                                 {"options", checkpoint.options},
                                 {"plan", checkpoint.plan}};
  NamedTensors tensors;
  for (const auto& [name, tensor] : checkpoint.state) tensors.add(std::string(model_prefix) + name, tensor);
  for (const auto& [name, tensor] : checkpoint.optimizer) tensors.add(std::string(optimizer_prefix) + name, tensor);
  for (const auto& [name, tensor] : checkpoint.progress) tensors.add(std::string(progress_prefix) + name, tensor);
  return io::format_safetensors(tensors, metadata);
}

Checkpoint parse_checkpoint(std::span<const std::byte> bytes, const std::string& what) {
  const io::SafeTensors file = io::parse_safetensors(bytes, what);
  const Fields fields(what, file.metadata);
  fields.require("format", format_name);
  fields.require("version", format_version);
  Checkpoint checkpoint{.model = fields.text("model"),
                        .input_shape = fields.shape("input_shape"),
                        .classes = fields.number<Index>("classes"),
                        .stage = fields.text("stage"),
                        .epoch = fields.number<std::int64_t>("epoch"),
                        .step = fields.number<std::int64_t>("step"),
                        .seed = fields.number<std::uint64_t>("seed"),
                        .options = fields.text("options"),
                        .plan = fields.text("plan"),
                        .state = {},
                        .optimizer = {},
                        .progress = {},
                        .file = what};
  for (const auto& [name, tensor] : file.tensors) {
    if (name.starts_with(model_prefix))
      checkpoint.state.add(name.substr(model_prefix.size()), tensor);
    else if (name.starts_with(optimizer_prefix))
      checkpoint.optimizer.add(name.substr(optimizer_prefix.size()), tensor);
    else if (name.starts_with(progress_prefix))
      checkpoint.progress.add(name.substr(progress_prefix.size()), tensor);
    else
      fail<IoError>(what, ": tensor \"", name, "\" belongs neither to model and optimizer nor to the progress");
  }
  return checkpoint;
}

void write_checkpoint(const io::Path& path, const Checkpoint& checkpoint) {
  io::write_file_atomically(path, format_checkpoint(checkpoint));
}

Checkpoint read_checkpoint(const io::Path& path) { return parse_checkpoint(io::read_file(path), path.string()); }

Model restore_model(const Checkpoint& checkpoint) try {
  Model model = models::make(checkpoint.model, checkpoint.input_shape, checkpoint.classes);
  model.build(checkpoint.input_shape, checkpoint.seed);
  if (!checkpoint.plan.empty()) model = attach_quantizers(model, QuantizationPlan::from_json(checkpoint.plan));
  model.load_state_dict(checkpoint.state);
  return model;
} catch (const Error& error) {
  fail<ValueError>(checkpoint.file.empty() ? "checkpoint" : checkpoint.file, ": model \"", checkpoint.model,
                   "\" cannot be restored: ", error.what());
}

void require_same_options(std::string_view what, std::string_view there, std::string_view here) {
  const Json theirs = parse_options(what, there);
  const Json ours = parse_options("these options", here);
  Json both = theirs;
  both.update(ours);
  std::string differences;
  for (const auto& [key, unused] : both.items()) {
    if (theirs.contains(key) && ours.contains(key) && theirs[key] == ours[key]) continue;
    differences += message(differences.empty() ? "" : ", ", key.substr(1), " is ", shown(theirs, key), " there and ",
                           shown(ours, key), " here");
  }
  if (!differences.empty()) fail<ValueError>(what, ": made with other options: ", differences);
}

}  // namespace bitgrad
