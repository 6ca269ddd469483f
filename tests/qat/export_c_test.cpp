// C headers, compiled by the compilers that are there and run against the engine.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <regex>
#include <set>

#include <bitgrad/core/data/find.hpp>
#include <bitgrad/layers/models/models.hpp>
#include <bitgrad/qat/export/c_header.hpp>
#include <bitgrad/qat/export/detail/c_arena.hpp>
#include <bitgrad/qat/export/detail/c_runtime.hpp>
#include <bitgrad/qat/export/detail/c_text.hpp>
#include <bitgrad/qat/inference/requantization.hpp>
#include <bitgrad/qat/quantization_aware_training.hpp>
#include "qat/export_support.hpp"
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using Catch::Contains;
using Catch::Equals;
using Catch::StartsWith;
using namespace bitgrad::test;

namespace {

constexpr const char* strict = " -O2 -ffreestanding -Wall -Wextra -Werror -pedantic";

struct Compiler {
  std::string name;
  std::string command;
};

bool is_there(std::string_view program) {
  return std::system(message("command -v ", program, " >/dev/null 2>&1").c_str()) == 0;
}

/// What links the programs; empty: there is no C compiler.
std::string linker() {
  for (const char* name : {"cc", "gcc", "clang-14", "clang"})
    if (is_there(name)) return name;
  return "";
}

/// C99 and C++ compilers on this machine; none without a C compiler.
std::vector<Compiler> find_compilers() {
  std::vector<Compiler> result;
  if (linker().empty()) return result;
  const auto add = [&](std::string_view name, std::string_view options) {
    if (!is_there(name)) return false;
    result.push_back({std::string(name), message(name, options, strict)});
    return true;
  };
  add("gcc", " -x c -std=c99");
  add("clang-14", " -x c -std=c99") || add("clang", " -x c -std=c99");
  add("g++", " -x c++ -std=c++11");
  return result;
}

/// Where there is none, what the test would have shown is said, and is a failure when the environment variable
/// BITGRAD_COMPLETE is set.
std::vector<Compiler> compilers() {
  const std::vector<Compiler> result = find_compilers();
  if (!result.empty()) return result;
  const std::string missing =
      message("no C compiler (gcc, clang-14, clang): not run: ", Catch::getResultCapture().getCurrentTestName());
  if (std::getenv("BITGRAD_COMPLETE") != nullptr) FAIL(missing);
  WARN(missing);
  return result;
}

/// A graph as a program that reads codes from a file and writes the results of every sample to another.
class CProgram {
 public:
  CProgram(const InferenceGraph& graph, const Compiler& compiler) : graph_(graph) {
    write_c_header(directory_ / "net.h", graph, {.name = "net"});
    const std::string in =
        graph.tensors[static_cast<std::size_t>(graph.integer_input())].grid->is_signed() ? "int8_t" : "uint8_t";
    const std::string out = !output_grid() ? "uint32_t" : output_grid()->is_signed() ? "int8_t" : "uint8_t";
    const auto fill = [&](std::string text) {
      for (const auto& [what, with] : {std::pair<std::string, std::string>{"IN", in}, {"OUT", out}})
        text = std::regex_replace(text, std::regex("\\b" + what + "\\b"), with);
      return text;
    };
    write("net.c", fill(R"(#include "net.h"
#ifdef __cplusplus
extern "C" {
#endif
int check(void);
int best(const OUT *y);
void compute(const IN *x, OUT *y);
int check(void) { return (int)net_selftest(); }
int best(const OUT *y) { return (int)net_argmax(y); }
void compute(const IN *x, OUT *y) { net_run(x, y); }
#ifdef __cplusplus
}
#endif
)"));
    write("main.c", fill(message(R"(#include <stdint.h>
#include <stdio.h>
int check(void);
int best(const OUT *y);
void compute(const IN *x, OUT *y);
static IN x[)",
                                 input_size(), R"(];
static OUT y[)",
                                 output_size(), R"(];
int main(void) {
  FILE *from = fopen("x.bin", "rb"), *to = fopen("y.bin", "wb"), *classes = fopen("classes.bin", "wb");
  if (check() != 0) return 2;
  while (fread(x, 1, sizeof x, from) == sizeof x) {
    int32_t found;
    compute(x, y);
    found = best(y);
    fwrite(y, 1, sizeof y, to);
    fwrite(&found, 1, sizeof found, classes);
  }
  fclose(to);
  fclose(classes);
  return 0;
}
)")));
    REQUIRE(run(message(compiler.command, " -c net.c -o net.o")) == 0);
    REQUIRE(run(linker() + " -std=c99 -O1 main.c net.o -o net") == 0);
  }

  /// Symbols that the header needs from elsewhere.
  std::string needed_symbols() {
    run("nm -u net.o > symbols.txt");
    return io::read_text_file(directory_ / "symbols.txt");
  }

  /// int32 codes of the quantized input to what run_integer() gives.
  Tensor operator()(const Tensor& codes) {
    std::string bytes;
    for (const std::int32_t code : codes.span<std::int32_t>()) bytes += static_cast<char>(code);
    write("x.bin", bytes);
    REQUIRE(run("./net") == 0);
    const std::string found = io::read_text_file(directory_ / "y.bin");
    const Shape shape = graph_.tensors[static_cast<std::size_t>(graph_.output)].shape.prepended(codes.dim(0));
    if (!output_grid()) {
      Tensor result(shape);
      REQUIRE(found.size() == result.byte_size());
      std::memcpy(result.bytes(), found.data(), found.size());
      return result;
    }
    Tensor result(shape, DType::int32);
    REQUIRE(static_cast<Index>(found.size()) == result.size());
    std::ranges::transform(found, result.data<std::int32_t>(), [&](char byte) {
      return output_grid()->is_signed() ? std::int32_t{static_cast<signed char>(byte)}
                                        : std::int32_t{static_cast<unsigned char>(byte)};
    });
    return result;
  }

  /// What net_argmax() said of the results of the last call.
  std::vector<std::int32_t> classes() const {
    const std::string bytes = io::read_text_file(directory_ / "classes.bin");
    std::vector<std::int32_t> result(bytes.size() / sizeof(std::int32_t));
    std::memcpy(result.data(), bytes.data(), bytes.size());
    return result;
  }

 private:
  const std::optional<Grid>& output_grid() const {
    return graph_.tensors[static_cast<std::size_t>(graph_.output)].grid;
  }
  Index input_size() const { return graph_.tensors[static_cast<std::size_t>(graph_.integer_input())].shape.size(); }
  Index output_size() const { return graph_.tensors[static_cast<std::size_t>(graph_.output)].shape.size(); }
  void write(const char* name, const std::string& text) { std::ofstream(directory_ / name, std::ios::binary) << text; }
  int run(const std::string& command) const {
    return std::system(message("cd ", directory_.path().string(), " && ", command).c_str());
  }

  const InferenceGraph& graph_;
  support::TemporaryDirectory directory_;
};

/// The number of the first largest element of every row.
std::vector<std::int32_t> largest(const Tensor& results) {
  std::vector<std::int32_t> numbers;
  for (Index n = 0; n < results.dim(0); ++n) {
    const Tensor row = results.rows(n, n + 1).to(DType::float32);
    numbers.push_back(
        static_cast<std::int32_t>(std::ranges::max_element(row.span<float>()) - row.span<float>().begin()));
  }
  return numbers;
}

Tensor random_codes(const InferenceGraph& graph, Index count, unsigned seed) {
  const GraphTensor& input = graph.tensors[static_cast<std::size_t>(graph.integer_input())];
  Tensor codes(input.shape.prepended(count), DType::int32);
  Dice dice(seed);
  for (std::int32_t& code : codes.span<std::int32_t>())
    code = static_cast<std::int32_t>(dice.integer(input.grid->lo, input.grid->hi));
  return codes;
}

InferenceGraph addition(const Grid& a, const Grid& b, const Grid& y) {
  InferenceGraphBuilder builder({2});
  builder.set_layer_name("in");
  const GraphValue x = builder.quantize(builder.input(), activations(a));
  builder.set_layer_name("other");
  const GraphValue other = builder.quantize(builder.elementwise(x, ElementwiseFunction::abs), activations(b));
  builder.set_layer_name("sum");
  return builder.finish(builder.quantize(builder.add(x, other), activations(y)));
}

}  // namespace

TEST_CASE("export c: the arithmetic of float32 on integers is that of the processor") {
  if (compilers().empty()) return;
  std::string pieces = "#include <math.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <string.h>\n";
  for (const std::string_view piece : {c::rounding, c::real_numbers}) pieces += c::replace_all(piece, "@", "r");
  const support::TemporaryDirectory directory;
  std::ofstream(directory / "check.c") << pieces << R"(
static uint64_t state = 1;
static uint32_t dice(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 32);
}
/* A positive float32 near 2^exponent, often with few bits, so that there are ties */
static float positive(int exponent) {
  uint32_t mantissa = dice() & 0x7FFFFFu;
  if (dice() & 1u) mantissa &= 0x7FC000u;
  return ldexpf((float)(mantissa | 0x800000u), exponent - 23);
}
static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}
static float value_of(const r_real *x) { return ldexpf((float)x->m, x->e); }
static int failed(const char *what, float found, float expected) {
  printf("%s: %a, expected %a\n", what, (double)found, (double)expected);
  return 1;
}
int main(void) {
  for (int n = 0; n < 3000000; ++n) {
    const int32_t sum = (int32_t)dice() >> dice() % 31u;
    const float multiplier = positive(-(int)(dice() % 34u)), product = (float)sum * multiplier;
    const float level = nearbyintf(product) + 7.0F;
    const int32_t code = level < 3 ? 3 : level > 200 ? 200 : (int32_t)level;
    const uint32_t bits = r_float_bits(sum, bits_of(multiplier));
    if (bits != bits_of(product)) return failed("product", 0, product);
    if (r_requantize(sum, bits_of(multiplier), 7, 3, 200) != code) return failed("code", (float)code, product);

    /* Sums of products whose sizes are near to each other and far apart */
    const int far = n % 3 == 0 ? 140 : 12;
    const float first = positive(0), ratio = positive((int)(dice() % (uint32_t)far) - far / 2);
    const int32_t a = (int32_t)(dice() % 511u) - 255, b = (int32_t)(dice() % 256u);
    r_real x = {0, 0};
    r_add(&x, (int64_t)a * r_mantissa(bits_of(first)), r_exponent(bits_of(first)));
    if (value_of(&x) != (float)a * first) return failed("first", value_of(&x), (float)a * first);
    r_add(&x, (int64_t)b * r_mantissa(bits_of(ratio)), r_exponent(bits_of(ratio)));
    const float both = fmaf((float)b, ratio, (float)a * first);
    if (value_of(&x) != both) return failed("fma", value_of(&x), both);
    const float divisor = positive((int)(dice() % 20u) - 10);
    r_divide(&x, (uint32_t)r_mantissa(bits_of(divisor)), r_exponent(bits_of(divisor)));
    if (value_of(&x) != both / divisor) return failed("quotient", value_of(&x), both / divisor);
    const float rounded = nearbyintf(both / divisor);
    if (fabsf(rounded) < 1e9F && (float)r_level(&x) != rounded) return failed("level", (float)r_level(&x), rounded);
  }
  return 0;
}
)";
  const std::string folder = directory.path().string();
  REQUIRE(std::system(message("cd ", folder, " && ", linker(), " -std=c99 -O2 -ffp-contract=off check.c -o check -lm")
                          .c_str()) == 0);
  CHECK(std::system((folder + "/check").c_str()) == 0);
}

TEST_CASE("export c: random networks, every operation, every compiler") {
  const std::vector<Compiler> all = compilers();
  std::set<std::string_view> operations;
  for (unsigned seed = 1; seed <= 18; ++seed) {
    const InferenceGraph graph = RandomNetwork(seed, 8).build();
    for (const GraphNode& node : graph.nodes) operations.insert(name_of(node.operation));
    if (all.empty()) continue;
    const Compiler& compiler = all[seed % all.size()];
    CAPTURE(seed, compiler.name);
    CProgram program(graph, compiler);
    const Tensor codes = random_codes(graph, 50, seed), expected = graph.run_integer(codes);
    CHECK(identical(program(codes), expected));
    CHECK(program.classes() == largest(expected));
    // What every freestanding C compiler may ask for, and nothing else: no library of mathematics, no heap, no soft
    // floats.
    std::istringstream symbols(program.needed_symbols());
    for (std::string kind, name; symbols >> kind >> name;)
      CHECK_THAT(name, Equals("memcpy") || Equals("memset") || Equals("memmove") || Equals("_GLOBAL_OFFSET_TABLE_"));
  }
  for (const char* name : {"integer_conv2d", "integer_dense", "integer_add", "integer_concat", "integer_average_pool2d",
                           "integer_global_average_pool2d", "integer_table", "max_pool2d", "reshape", "pad2d",
                           "upsample2d", "insert_zeros2d"})
    CHECK(operations.count(name) == 1);
}

TEST_CASE("export c: the codes of every requantization mode") {
  const std::vector<Compiler> all = compilers();
  if (all.empty()) return;
  for (const RequantizationMode mode : requantization_modes().subspan(1)) {
    int compared = 0;
    for (unsigned seed = 1; seed <= 8; ++seed) {
      InferenceGraph graph = RandomNetwork(seed, 8).build();
      try {
        set_requantization(graph, mode);
      } catch (const NotImplementedError&) {
        continue;
      }
      const Compiler& compiler = all[seed % all.size()];
      CAPTURE(name_of(mode), seed, compiler.name);
      CProgram program(graph, compiler);
      const Tensor codes = random_codes(graph, 50, seed), expected = graph.run_integer(codes);
      CHECK(identical(program(codes), expected));
      ++compared;
    }
    CHECK(compared > 2);
  }
}

TEST_CASE("export c: additions of awkward scales") {
  const std::vector<Compiler> all = compilers();
  if (all.empty()) return;
  Dice dice(5);
  for (int i = 0; i < 6; ++i) {
    const float s = dice.real(0.01F, 1.0F);
    const float far = i < 2 ? 1.0F : std::exp2(static_cast<float>(dice.integer(-36, 36)));
    const InferenceGraph graph =
        addition(unsigned_grid(8, s, static_cast<std::int32_t>(dice.integer(0, 255))), unsigned_grid(8, s * far, 7),
                 unsigned_grid(8, i % 2 ? 2 * s : s * far / 1.37F, static_cast<std::int32_t>(dice.integer(0, 255))));
    CProgram program(graph, all[static_cast<std::size_t>(i) % all.size()]);
    const Tensor codes = random_codes(graph, 20000, 7);
    CHECK(identical(program(codes), graph.run_integer(codes)));
  }
}

TEST_CASE("export c: the constant of an addition is rounded as the engine rounds it") {
  const std::vector<Compiler> all = compilers();
  if (all.empty()) return;
  // Grids on which products that are rounded one by one would give another code for some input of addition().
  const auto differs = [](const Grid& a, const Grid& b, const Grid& y) {
    const float r_a = a.scale[0] / y.scale[0], r_b = b.scale[0] / y.scale[0];
    const auto z_a = static_cast<float>(a.zero_point[0]), z_b = static_cast<float>(b.zero_point[0]);
    const auto z_y = static_cast<float>(y.zero_point[0]);
    const float fused = z_y - std::fma(r_a, z_a, r_b * z_b), separate = z_y - (r_a * z_a + r_b * z_b);
    if (fused == separate) return false;
    for (int code = 0; code < 256; ++code) {
      const auto u_a = static_cast<float>(code);
      const float u_b = std::clamp(std::nearbyint(std::abs(u_a - z_a) * a.scale[0] / b.scale[0]) + z_b, 0.0F, 255.0F);
      const auto level = [&](float constant) {
        return std::nearbyint(std::fma(u_a, r_a, std::fma(u_b, r_b, constant)));
      };
      if (level(fused) != level(separate) && level(fused) >= 0 && level(fused) <= 255) return true;
    }
    return false;
  };
  Dice dice(11);
  for (int found = 0, tries = 0; found < 2; ++tries) {
    REQUIRE(tries < 3000000);
    const auto zero = [&] { return static_cast<std::int32_t>(dice.integer(1, 99)); };
    // Scales of few bits, which meet in halves of a step.
    const auto scale = [&] { return static_cast<float>(dice.integer(1, 63)) / 64; };
    const Grid a = unsigned_grid(8, scale(), zero()), b = unsigned_grid(8, scale(), zero()),
               y = unsigned_grid(8, 2 * scale(), zero());
    if (!differs(a, b, y)) continue;
    ++found;
    const InferenceGraph graph = addition(a, b, y);
    CProgram program(graph, all[0]);
    Tensor codes(Shape{256, 2}, DType::int32);
    for (Index i = 0; i < codes.size(); ++i) codes.data<std::int32_t>()[i] = static_cast<std::int32_t>(i / 2);
    CHECK(identical(program(codes), graph.run_integer(codes)));
  }
}

TEST_CASE("export c: sums beyond 24 bits are rounded before they are multiplied") {
  const std::vector<Compiler> all = compilers();
  if (all.empty()) return;
  InferenceGraphBuilder builder({3000});
  builder.set_layer_name("in");
  const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(8, 1.0F)));
  const WeightQuantizers quantizers = kernel_on(signed_grid(8, 0.0123F));
  builder.set_layer_name("dense");
  Dice dice(4);
  const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
  const InferenceGraph graph =
      builder.finish(builder.dense(x, {"kernel", dice.tensor({3000, 3}, 0.5F, 1.5F)}, {"bias", Tensor()}));
  const Tensor codes = random_codes(graph, 100, 1), expected = graph.run_integer(codes);
  CHECK(expected.data<float>()[0] > 0.0123F * 0x1p24F);
  CHECK(identical(CProgram(graph, all[0])(codes), expected));
}

TEST_CASE("export c: the whole test set") {
  const std::vector<Compiler> all = compilers();
  if (all.empty()) return;
  const data::Dataset train = data::load_dataset("fashion-mnist", data::Split::train),
                      test = data::load_dataset("fashion-mnist", data::Split::test);
  Model model = models::lenet5({28, 28, 1}, 10);
  model.build({28, 28, 1}, 3);
  const QuantizerSpec weights{.bits = 3}, activations{.bits = 5, .per_channel = false};
  const InferenceGraph graph = convert2inferable(quantization_aware_training_init(
      model, data::to_unit_range(train.images.rows(0, 64)), {.weights = weights, .activations = activations}));
  const Tensor codes = graph.run_all(data::to_unit_range(test.images))[static_cast<std::size_t>(graph.integer_input())];
  CHECK(identical(CProgram(graph, all[0])(codes), graph.run_integer(codes)));
}

TEST_CASE("export c: weights of every width") {
  const std::vector<Compiler> all = compilers();
  if (all.empty()) return;
  for (int bits = 1; bits <= 8; ++bits) {
    Dice dice(static_cast<unsigned>(bits));
    InferenceGraphBuilder builder({11});
    builder.set_layer_name("in");
    GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(8, 1.0F / 255)));
    const WeightQuantizers quantizers = kernel_on(bits % 2 ? signed_grid(bits, 0.1F) : unsigned_grid(bits, 0.1F, 1));
    builder.set_layer_name("run");  // a name that the header has itself
    {
      const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
      x = builder.dense(x, {"kernel", dice.tensor({11, 5}, -3, 3)}, {"bias", dice.tensor({5}, -1, 1)});
    }
    const InferenceGraph graph = builder.finish(x);
    CHECK_THAT(format_c_header(graph), Contains("for images of bytes"));
    CProgram program(graph, all[static_cast<std::size_t>(bits) % all.size()]);
    const Tensor codes = random_codes(graph, 200, 3);
    CHECK(identical(program(codes), graph.run_integer(codes)));
  }
}

TEST_CASE("export c: byte totals and sizes in the text") {
  InferenceGraph graph = RandomNetwork(3, 8).build();
  graph.metadata["model"] = "tiny";
  graph.metadata["data"] = "ends */ the comment";
  const std::string text = format_c_header(graph, {.name = "tiny"});
  CHECK(text == format_c_header(graph, {.name = "tiny"}));
  CHECK_THAT(text, Contains(message(" * bytes: ", graph.weight_bytes(), " of weights")) &&
                       Contains("#define tiny_ARENA_BYTES ") && Contains(" * model: tiny\n") && !Contains("ends") &&
                       !Contains("@") && !Contains("#COUNT#") && !Contains("double") && !Contains("malloc"));
  // The word occurs in comments and names only.
  std::istringstream lines(
      std::regex_replace(text, std::regex(R"(/\*[^*]*\*+([^/*][^*]*\*+)*/|[a-z0-9_]*_floats?[a-z0-9_]*)"), ""));
  for (std::string line; std::getline(lines, line);) CHECK_THAT(line, !Contains("float"));
}

TEST_CASE("export c: the account of bytes says what multipliers are") {
  InferenceGraph graph = small_graph(unsigned_grid(8, 0.5F), signed_grid(4, 1));
  const std::string weights = message(" * bytes: ", graph.weight_bytes(), " of weights (codes at their width, ");
  const std::string others = " *        2 of zero points, tables and padding\n";
  CHECK_THAT(format_c_header(graph), Contains(weights + "int32 biases, float32 multipliers)\n" + others));
  set_requantization(graph, RequantizationMode::tflm_double);
  CHECK_THAT(format_c_header(graph),
             Contains(weights + "int32 biases, fixed-point multipliers, float32 ones for the logits)\n" +
                      " *        1 of the shifts of fixed-point multipliers\n" + others));
  set_requantization(graph, RequantizationMode::xnnpack);
  CHECK_THAT(format_c_header(graph), Contains(weights + "int32 biases, float32 multipliers)\n" + others));
  graph = addition(unsigned_grid(8, 0.1F), unsigned_grid(8, 0.2F), unsigned_grid(8, 0.3F));  // no layer has one
  set_requantization(graph, RequantizationMode::single);
  CHECK_THAT(format_c_header(graph), !Contains("shifts of"));
}

TEST_CASE("export c: golden vectors can be given, and a wrong one is found") {
  const std::vector<Compiler> all = compilers();
  const InferenceGraph graph = RandomNetwork(2, 6).build();
  const Shape input = graph.tensors[static_cast<std::size_t>(graph.input)].shape;
  const std::string text = format_c_header(graph, {.name = "net", .golden = Dice(1).tensor(input.prepended(3), 0, 1)});
  if (all.empty()) return;
  const auto selftest = [&](std::string header) {
    const support::TemporaryDirectory directory;
    std::ofstream(directory / "net.h") << header;
    std::ofstream(directory / "main.c") << "#include \"net.h\"\nint main(void) { return (int)net_selftest(); }\n";
    const std::string folder = directory.path().string();
    REQUIRE(std::system(message(all[0].command, " ", folder, "/main.c -o ", folder, "/main").c_str()) == 0);
    return WEXITSTATUS(std::system((folder + "/main").c_str()));
  };
  CHECK(selftest(text) == 0);
  std::string wrong = text;
  std::size_t digit = wrong.find("{\n  ", wrong.find("net_golden_output[")) + 4;
  if (wrong[digit] == '-') ++digit;
  if (wrong[digit + 1] == 'x') digit += 2;
  wrong[digit] = wrong[digit] == '1' ? '2' : '1';
  CHECK(selftest(wrong) == 1);
  CHECK_THROWS_AS(format_c_header(graph, {.name = "net", .golden = Tensor::zeros({1, 1})}), ShapeError);
}

TEST_CASE("export c: what cannot be written is refused by name") {
  const InferenceGraph graph = RandomNetwork(2, 6).build();
  for (const char* name : {"2net", "", "a-b", "a@"})
    CHECK_THROWS_WITH(format_c_header(graph, {.name = name}), Contains(message('"', name, '"')));
  /// Quantized input, dense layer, and what `end` does with its result.
  const auto network = [](int activation_bits, int weight_bits, auto&& end) {
    InferenceGraphBuilder builder({2});
    builder.set_layer_name("in");
    GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(activation_bits, 1)));
    const WeightQuantizers quantizers = kernel_on(signed_grid(weight_bits, 1));
    builder.set_layer_name("dense");
    {
      const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
      x = builder.dense(x, {"kernel", floats({2, 1}, {1, 2})}, {"bias", Tensor()});
    }
    builder.set_layer_name("last");
    return builder.finish(end(builder, x));
  };
  const auto nothing = [](InferenceGraphBuilder&, GraphValue x) { return x; };
  const auto softmax = [](InferenceGraphBuilder& builder, GraphValue x) { return builder.softmax(x); };
  CHECK_NOTHROW(format_c_header(network(8, 8, nothing)));
  InferenceGraphBuilder floating({2});
  floating.set_layer_name("dense");
  const InferenceGraph floats_alone =
      floating.finish(floating.dense(floating.input(), {"kernel", floats({2, 1}, {1, 2})}, {"bias", Tensor()}));
  CHECK_THROWS_WITH(format_c_header(floats_alone),
                    StartsWith("c header: no activations are quantized") && Contains("train with --weights and"));
  CHECK_THROWS_WITH(format_c_header(network(9, 8, nothing)), Contains("\"in\"") && Contains("0..511"));
  CHECK_THROWS_WITH(format_c_header(network(8, 9, nothing)), Contains("\"dense\"") && Contains("9 bits"));
  CHECK_THROWS_WITH(format_c_header(network(8, 8, softmax)),
                    Contains("\"last\" (float_softmax)") && Contains("without this one"));
}

TEST_CASE("a graph with nodes that its output does not depend on is refused") {
  InferenceGraph graph = small_graph(unsigned_grid(8, 0.5F), signed_grid(4, 1));
  const support::TemporaryDirectory directory;
  graph.save(directory.path().string());
  const std::string why = "graph node \"flatten\": nothing that the output depends on reads it";
  graph.output = tensor_number(graph, "conv/out");
  CHECK_THROWS_WITH(graph.validate(), Equals(why));
  CHECK_THROWS_WITH(format_c_header(graph), Equals(why));
  const std::string text = io::read_text_file(directory / "graph.json");
  std::ofstream(directory / "graph.json")
      << std::regex_replace(text, std::regex("\"output\": \"dense\""), "\"output\": \"conv/out\"");
  CHECK_THROWS_WITH(InferenceGraph::load(directory.path().string()), Contains("graph.json: " + why));
}

TEST_CASE("arena: tensors that live together do not overlap") {
  Dice dice(9);
  for (int round = 0; round < 50; ++round) {
    std::vector<c::Lifetime> lifetimes;
    for (int i = 0; i < 12; ++i) {
      const std::size_t first = static_cast<std::size_t>(dice.integer(0, 9));
      lifetimes.push_back({dice.integer(0, 40), first, first + static_cast<std::size_t>(dice.integer(0, 3))});
    }
    const c::Arena arena = c::place(lifetimes);
    for (std::size_t i = 0; i < lifetimes.size(); ++i) {
      CHECK(arena.offsets[i] + lifetimes[i].bytes <= arena.bytes);
      for (std::size_t j = 0; j < i; ++j) {
        const bool together = lifetimes[i].first <= lifetimes[j].last && lifetimes[j].first <= lifetimes[i].last;
        const bool apart = arena.offsets[i] + lifetimes[i].bytes <= arena.offsets[j] ||
                           arena.offsets[j] + lifetimes[j].bytes <= arena.offsets[i];
        CHECK((!together || apart || lifetimes[i].bytes == 0 || lifetimes[j].bytes == 0));
      }
    }
  }
  // A chain of three needs the two largest neighbours.
  CHECK(c::place({{10, 0, 1}, {20, 1, 2}, {5, 2, 3}}).bytes == 30);
}
