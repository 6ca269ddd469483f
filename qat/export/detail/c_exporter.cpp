#include <bitgrad/qat/export/detail/c_exporter.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <bitgrad/core/random.hpp>
#include <bitgrad/qat/export/detail/c_arena.hpp>
#include <bitgrad/qat/export/detail/c_runtime.hpp>
#include <bitgrad/qat/export/detail/require_codes.hpp>
#include <bitgrad/qat/inference/detail/accumulator.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

namespace bitgrad::c {
namespace {

std::string upper(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::vector<std::int32_t> integers(const Tensor& codes) {
  return {codes.span<std::int32_t>().begin(), codes.span<std::int32_t>().end()};
}

std::vector<std::uint32_t> float_bits(const Tensor& values) {
  std::vector<std::uint32_t> bits;
  for (const float value : values.span<float>()) bits.push_back(std::bit_cast<std::uint32_t>(value));
  return bits;
}

}  // namespace

Exporter::Exporter(const InferenceGraph& graph, const CHeaderOptions& options)
    : graph_(graph),
      options_(options),
      input_(-1),
      storage_(graph.tensors.size(), -1),
      offsets_(graph.tensors.size(), -1) {
  if (!is_identifier(options.name)) fail<ValueError>("c header: name \"", options.name, "\" is no C identifier");
  graph.validate();
  require_codes(graph, "c header");
  input_ = graph.integer_input();
}

std::string Exporter::run() {
  find_steps();
  place_tensors();
  text_.need(rounding);
  for (const GraphNode* node : steps_) emit(*node);
  if (static_cast<std::size_t>(weight_bytes_) != graph_.weight_bytes())
    fail<InternalError>("c header: ", weight_bytes_, " bytes of weights, the graph has ", graph_.weight_bytes());
  const std::string guard = upper(options_.name) + "_H";
  std::string text =
      heading() + message("#ifndef ", guard, "\n#define ", guard, "\n\n#include <stdint.h>\n\n#define @_INPUT_SIZE ",
                          input_size(), "\n#define @_OUTPUT_SIZE ", output_size(), "\n#define @_ARENA_BYTES ",
                          arena_bytes_, "\n");
  if (kernel_size_ > 0) text += message("#define @_KERNEL_SIZE ", kernel_size_, "\n");
  text += message("\ntypedef ", result_type(), " @_result;\n");
  text += text_.functions() + "\n/* ---- numbers ---- */\n\n" + text_.data() + run_function();
  text += codes_out() ? argmax_of_codes : argmax_of_floats;
  text += self_test_function() + message("\n#endif /* ", guard, " */\n");
  return replace_all(text, "@", options_.name);
}

// ---- steps and memory ----

void Exporter::check_tensor(int t) const {
  const GraphTensor& each = tensor(t);
  if (each.grid && static_cast<std::int64_t>(each.grid->hi) - each.grid->lo > 255)
    fail<NotImplementedError>("c header: tensor \"", each.name, "\" has codes ", each.grid->lo, "..", each.grid->hi,
                              "; activations of at most 8 bits can be written as C");
}

/// Names the layer that computes on float32: the one that reads what a quantized layer gave, or this one.
void Exporter::refuse_float(const GraphNode& node) const {
  const auto reads = [&](const GraphNode& other) { return std::ranges::count(other.inputs, node.output) > 0; };
  const auto reader = std::ranges::find_if(graph_.nodes, reads);
  const bool quantized = inference::integer_weights(node.operation) && reader != graph_.nodes.end();
  const GraphNode& blamed = quantized ? *reader : node;
  fail<NotImplementedError>(
      "c header: layer \"", blamed.name, "\" (", name_of(blamed.operation),
      ") computes on float32; the header computes on codes alone, up to the logits of a last layer",
      blamed.output == graph_.output ? " (export the model without this one)" : "");
}

/// The nodes between the quantized input and the output.
void Exporter::find_steps() {
  std::vector<char> needed(graph_.tensors.size(), 0), reached(graph_.tensors.size(), 0);
  needed[static_cast<std::size_t>(graph_.output)] = 1;
  for (auto node = graph_.nodes.rbegin(); node != graph_.nodes.rend(); ++node)
    if (needed[static_cast<std::size_t>(node->output)] && node->output != input_)
      for (const int input : node->inputs) needed[static_cast<std::size_t>(input)] = 1;
  check_tensor(input_);
  reached[static_cast<std::size_t>(input_)] = 1;
  for (const GraphNode& node : graph_.nodes) {
    const bool ready =
        std::ranges::all_of(node.inputs, [&](int i) { return reached[static_cast<std::size_t>(i)] != 0; });
    if (!needed[static_cast<std::size_t>(node.output)] || node.output == input_ || !ready) continue;
    const bool logits = inference::integer_weights(node.operation) && node.output == graph_.output;
    if (!logits && !tensor(node.output).grid) refuse_float(node);
    check_tensor(node.output);
    reached[static_cast<std::size_t>(node.output)] = 1;
    steps_.push_back(&node);
  }
  if (!reached[static_cast<std::size_t>(graph_.output)])
    fail<NotImplementedError>("c header: the output \"", tensor(graph_.output).name,
                              "\" does not follow from the codes of \"", tensor(input_).name, "\" alone");
}

void Exporter::place_tensors() {
  std::vector<Lifetime> lifetimes;
  std::vector<int> owners;
  std::vector<std::size_t> lifetime_of(graph_.tensors.size(), 0);
  const auto start = [&](int t, std::size_t step) {
    storage_[static_cast<std::size_t>(t)] = t;
    lifetime_of[static_cast<std::size_t>(t)] = lifetimes.size();
    lifetimes.push_back({tensor(t).shape.size(), step, step});
    owners.push_back(t);
  };
  const auto use = [&](int t, std::size_t step) {
    const int owner = storage_[static_cast<std::size_t>(t)];
    if (owner == input_ && reads_input_in_place()) return;
    lifetimes[lifetime_of[static_cast<std::size_t>(owner)]].last = step;
  };
  if (reads_input_in_place())
    storage_[static_cast<std::size_t>(input_)] = input_;
  else
    start(input_, 0);
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const GraphNode& node = *steps_[i];
    for (const int input : node.inputs) use(input, i + 1);
    if (std::holds_alternative<ReshapeOp>(node.operation))
      storage_[static_cast<std::size_t>(node.output)] = storage_[static_cast<std::size_t>(node.inputs[0])];
    else if (tensor(node.output).grid)
      start(node.output, i + 1);
  }
  if (codes_out()) use(graph_.output, steps_.size() + 1);
  const Arena arena = place(lifetimes);
  arena_bytes_ = arena.bytes;
  for (std::size_t i = 0; i < owners.size(); ++i) offsets_[static_cast<std::size_t>(owners[i])] = arena.offsets[i];
}

std::string Exporter::at(int t) const {
  const int owner = storage_[static_cast<std::size_t>(t)];
  if (owner == input_ && reads_input_in_place()) return "codes";
  return message("@_arena + ", offsets_[static_cast<std::size_t>(owner)]);
}

// ---- the frame ----

/// How a caller gets a float tensor from the model's input, where that takes no more than mean and deviation.
std::string Exporter::float_rule(int value) const {
  const auto made = std::ranges::find(graph_.nodes, value, &GraphNode::output);
  if (made == graph_.nodes.end() || made->inputs[0] != graph_.input) return "";
  const auto* normalize = std::get_if<FloatNormalize>(&made->operation);
  if (!normalize) return "";
  std::ostringstream out;
  out.precision(std::numeric_limits<float>::max_digits10);
  out << " *   x = (input - mean) / deviation in float32, with images of bytes as byte / 255; per channel\n";
  const auto numbers = [&](const char* name, const Tensor& values) {
    out << " *     " << name;
    for (Index i = 0; i < values.size(); ++i) out << (i > 0 ? ", " : " ") << values.data<float>()[i];
    out << '\n';
  };
  numbers("mean", normalize->mean);
  numbers("deviation", normalize->deviation);
  return out.str();
}

/// How a caller gets the codes of the input.
std::string Exporter::input_rule() const {
  const Grid& grid = *tensor(input_).grid;
  const auto quantize = std::ranges::find(graph_.nodes, input_, &GraphNode::output);
  const bool direct = quantize != graph_.nodes.end() && quantize->inputs[0] == graph_.input;
  std::ostringstream out;
  out.precision(std::numeric_limits<float>::max_digits10);
  out << " *   code = round_half_even(x / " << grid.scale[0] << ") + " << grid.zero_point[0] << ", limited to "
      << grid.lo << ".." << grid.hi << ", for values x ";
  out << (direct ? "of the model's input" : "that enter layer " + quantize->name) << '\n';
  if (!direct && quantize != graph_.nodes.end()) out << float_rule(quantize->inputs[0]);
  bool bytes = direct && grid.lo == 0;
  for (int byte = 0; byte < 256 && bytes; ++byte)
    bytes =
        std::nearbyint(static_cast<float>(byte) / 255.0F / grid.scale[0]) + static_cast<float>(grid.zero_point[0]) ==
        static_cast<float>(byte);
  if (bytes) out << " *   for images of bytes, x = byte / 255, that is the byte\n";
  return out.str();
}

/// What the bytes of weights and what belongs to them are spent on.
std::string Exporter::byte_account() const {
  const char* multipliers = shift_bytes_ == 0 ? "float32 multipliers"
                            : codes_out()     ? "fixed-point multipliers"
                                              : "fixed-point multipliers, float32 ones for the logits";
  std::string text =
      message(" * bytes: ", weight_bytes_, " of weights (codes at their width, int32 biases, ", multipliers, ")\n");
  if (shift_bytes_ > 0) text += message(" *        ", shift_bytes_, " of the shifts of fixed-point multipliers\n");
  return text + message(" *        ", other_bytes_, " of zero points, tables and padding\n");
}

std::string Exporter::heading() const {
  std::ostringstream out;
  out << "/* " << options_.name << ": a quantized network in C99, written by bitgrad " << BITGRAD_VERSION << ".\n *\n";
  for (const char* key : {"model", "weights", "activations", "data", "seed", "accuracy"})
    if (const auto found = graph_.metadata.find(key);
        found != graph_.metadata.end() && found->second.find_first_of("*@\n\\") == std::string::npos)
      out << " * " << key << ": " << found->second << '\n';
  if (graph_.mode != RequantizationMode::ort) out << " * requantization: " << name_of(graph_.mode) << '\n';
  out << byte_account() << " *        " << arena_bytes_ << " of memory for activations, @_ARENA_BYTES, and "
      << 2 * kernel_size_ << " for the weights of one channel, static\n *\n"
      << " * void @_run(const " << code_type(input_) << " *codes, @_result *results)\n"
      << " *   codes: " << tensor(input_).shape << ", channels last\n"
      << input_rule() << " *   results: " << tensor(graph_.output).shape << ", "
      << (codes_out() ? "codes" : "the bits of float32 logits: memcpy() them into floats, or take @_argmax()") << '\n'
      << " * int32_t @_argmax(const @_result *results)\n"
      << " * int32_t @_selftest(void)\n"
      << " *   0 when this compiler's code gives the results that bitgrad gave; leave it out by defining "
         "@_NO_SELFTEST\n *\n"
      << " * No library, no heap, no floating point; not reentrant. To be included in one source file. */\n";
  return out.str();
}

std::string Exporter::run_function() const {
  std::ostringstream out;
  if (arena_bytes_ > 0) out << "\nstatic uint8_t @_arena[@_ARENA_BYTES];\n";
  out << "\nstatic inline void @_run(const " << code_type(input_) << " *codes, @_result *results) {\n";
  const bool counts = !reads_input_in_place() || codes_out();
  if (counts) out << "  int32_t i;\n";
  if (!reads_input_in_place())
    out << "  for (i = 0; i < @_INPUT_SIZE; ++i) (" << at(input_) << ")[i] = (uint8_t)(codes[i] - ("
        << tensor(input_).grid->lo << "));\n";
  out << text_.body();
  if (codes_out())
    out << "  for (i = 0; i < @_OUTPUT_SIZE; ++i) results[i] = (@_result)((" << at(graph_.output) << ")[i] + ("
        << tensor(graph_.output).grid->lo << "));\n";
  out << "}\n";
  return out.str();
}

// ---- golden vectors ----

std::string Exporter::self_test_function() const {
  Tensor codes;
  if (options_.golden.defined()) {
    if (options_.golden.size() == 0)
      fail<ShapeError>("C header: golden inputs have shape ", options_.golden.shape(), ", expected at least one input");
    codes = graph_.run_all(options_.golden)[static_cast<std::size_t>(input_)];
  } else {
    const Grid& grid = *tensor(input_).grid;
    codes = Tensor(tensor(input_).shape.prepended(2), DType::int32);
    Random random(1);
    for (std::int32_t& code : codes.span<std::int32_t>())
      code = grid.lo + static_cast<std::int32_t>(random.below(grid.hi - grid.lo + 1));
  }
  const Tensor results = graph_.run_integer(codes);
  std::string golden = array_text(code_type(input_), "@_golden_input", integers(codes));
  golden += codes_out() ? array_text(code_type(graph_.output), "@_golden_output", integers(results))
                        : array_text("uint32_t", "@_golden_output", float_bits(results));
  return replace_all(replace_all(self_test, "#GOLDEN#", golden), "#COUNT#", std::to_string(codes.dim(0)));
}

}  // namespace bitgrad::c
