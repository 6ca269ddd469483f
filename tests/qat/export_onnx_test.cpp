// ONNX files, read back by a small decoder. That they give the right codes in ONNX Runtime is shown in tests/interop.
#include <catch2/catch.hpp>
#include <numeric>
#include <set>

#include <bitgrad/core/io/detail/bytes.hpp>
#include <bitgrad/qat/export/detail/onnx_weights.hpp>
#include <bitgrad/qat/export/onnx.hpp>
#include "qat/export_support.hpp"
#include "support/temporary_directory.hpp"

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

/// One field of a protocol buffer message.
struct Field {
  int number = 0;
  std::uint64_t integer = 0;
  std::string text;
};

std::vector<Field> decode(std::string_view bytes) {
  std::size_t at = 0;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes.at(at++));
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
  };
  std::vector<Field> fields;
  while (at < bytes.size()) {
    const std::uint64_t tag = varint();
    Field field{static_cast<int>(tag >> 3), 0, {}};
    const std::size_t length = (tag & 7) == 2 ? varint() : 4;
    if ((tag & 7) == 0) {
      field.integer = varint();
    } else {
      REQUIRE(((tag & 7) == 2 || (tag & 7) == 5));
      field.text = bytes.substr(at, length);
      at += length;
    }
    fields.push_back(field);
  }
  return fields;
}

std::vector<std::string> texts(const std::vector<Field>& fields, int number) {
  std::vector<std::string> result;
  for (const Field& field : fields)
    if (field.number == number) result.push_back(field.text);
  return result;
}
std::vector<std::uint64_t> integers(const std::vector<Field>& fields, int number) {
  std::vector<std::uint64_t> result;
  for (const Field& field : fields)
    if (field.number == number) result.push_back(field.integer);
  return result;
}

struct File {
  std::vector<Field> model, graph;

  explicit File(const io::Bytes& bytes) : model(decode(io::text_of(bytes))), graph(decode(texts(model, 7).at(0))) {}

  std::vector<std::string> operations() const {
    std::vector<std::string> result;
    for (const std::string& node : texts(graph, 1)) result.push_back(texts(decode(node), 4).at(0));
    return result;
  }
  /// Fields of the initializer.
  std::vector<Field> initializer(const std::string& name) const {
    for (const std::string& tensor : texts(graph, 5))
      if (texts(decode(tensor), 8).at(0) == name) return decode(tensor);
    FAIL("no initializer " << name);
    return {};
  }
  std::string raw(const std::string& name) const { return texts(initializer(name), 9).at(0); }
  std::vector<std::uint64_t> dims(const std::string& name) const { return integers(initializer(name), 1); }
  std::uint64_t type(const std::string& name) const { return integers(initializer(name), 2).at(0); }
};

std::string bytes(std::initializer_list<int> values) {
  std::string result;
  for (const int value : values) result += static_cast<char>(value);
  return result;
}

}  // namespace

TEST_CASE("export onnx: operations between codes, in order") {
  const File file(format_onnx(small_graph(signed_grid(4, 0.5F), signed_grid(4, 1))));
  CHECK(file.operations() ==
        std::vector<std::string>{"QuantizeLinear", "DequantizeLinear", "DequantizeLinear", "DequantizeLinear", "Conv",
                                 "QuantizeLinear", "Clip", "DequantizeLinear", "Transpose", "QuantizeLinear",
                                 "DequantizeLinear", "Reshape", "QuantizeLinear", "DequantizeLinear",
                                 "DequantizeLinear", "DequantizeLinear", "Gemm"});
  CHECK(integers(file.model, 1) == std::vector<std::uint64_t>{8});
  CHECK(texts(file.model, 2) == std::vector<std::string>{"bitgrad"});
  CHECK(integers(decode(texts(file.model, 8).at(0)), 2) == std::vector<std::uint64_t>{13});
  CHECK(file.raw("conv/kernel/codes") == bytes({3, -4}));
  CHECK(file.dims("conv/kernel/codes") == std::vector<std::uint64_t>{2, 1, 1, 1});
  CHECK(file.dims("dense/kernel/codes") == std::vector<std::uint64_t>{3, 8});
  // Signed codes -8..7 become 0..15 with real zero at 8.
  CHECK(file.raw("conv/out/zero_point") == bytes({8}));
  CHECK(file.raw("conv/out/Clip/min") == bytes({0}));
  CHECK(file.raw("conv/out/Clip/max") == bytes({15}));
  // Biases 1 and -1 in units of 1/256.
  CHECK(file.raw("conv/bias/codes") == bytes({0, 1, 0, 0, 0, -1, -1, -1}));
}

TEST_CASE("export onnx: no Clip where uint8 saturates at the right codes") {
  const File file(format_onnx(small_graph(signed_grid(8, 0.5F), signed_grid(4, 1))));
  for (const std::string& operation : file.operations()) CHECK(operation != "Clip");
}

TEST_CASE("export onnx: the same graph gives the same bytes, codes as outputs on request") {
  const InferenceGraph graph = RandomNetwork(7, 8).build();
  CHECK(format_onnx(graph) == format_onnx(graph));
  CHECK(texts(File(format_onnx(graph)).graph, 12).size() == 1);
  std::size_t quantized = 0;
  for (const GraphTensor& tensor : graph.tensors) quantized += tensor.grid.has_value();
  CHECK(texts(File(format_onnx(graph, {.codes = true})).graph, 12).size() == 1 + quantized);
}

TEST_CASE("export onnx: names are unique and nothing is read before it is written") {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    const File file(format_onnx(RandomNetwork(seed, 8).build(), {.opset = 25, .pack = 2, .codes = true}));
    std::set<std::string> known, nodes;
    for (const std::string& input : texts(file.graph, 11)) CHECK(known.insert(texts(decode(input), 1).at(0)).second);
    for (const std::string& tensor : texts(file.graph, 5)) CHECK(known.insert(texts(decode(tensor), 8).at(0)).second);
    for (const std::string& node : texts(file.graph, 1)) {
      const std::vector<Field> fields = decode(node);
      for (const std::string& input : texts(fields, 1)) CHECK((input.empty() || known.count(input)));
      for (const std::string& output : texts(fields, 2)) CHECK(known.insert(output).second);
      CHECK(nodes.insert(texts(fields, 3).at(0)).second);
    }
    for (const std::string& output : texts(file.graph, 12)) CHECK(known.count(texts(decode(output), 1).at(0)));
    for (const std::string& value : texts(file.graph, 13)) CHECK(known.count(texts(decode(value), 1).at(0)));
  }
}

TEST_CASE("export onnx: weights that could saturate are moved into uint8") {
  const GraphNode node{"conv", IntegerDense{}, {}, 0};
  IntegerWeights weights{Tensor::from({2, 1}, std::vector<std::int32_t>{64, -64}), signed_grid(8, 1), {}, {}};
  CHECK(onnx::stored_weights(node, weights, 255).type == onnx::Type::int8);  // 2 * 64 * 255 = 32640
  weights.codes.data<std::int32_t>()[0] = 65;
  const onnx::StoredWeights moved = onnx::stored_weights(node, weights, 255);
  CHECK(moved.type == onnx::Type::uint8);
  CHECK(moved.codes == std::vector<std::int32_t>{193, 64});
  CHECK(moved.zero_points == std::vector<std::int32_t>{128});
  CHECK(onnx::stored_weights(node, weights, 252).type == onnx::Type::int8);  // 2 * 65 * 252 = 32760
  weights.codes.data<std::int32_t>()[0] = 200;
  CHECK_THROWS_AS(onnx::stored_weights(node, weights, 255), NotImplementedError);
}

TEST_CASE("export onnx: OnnxWeights::int8 stores every kernel as int8") {
  constexpr std::uint64_t uint8 = 2, int8 = 3;
  const auto check = [&](const InferenceGraph& graph, OnnxWeights weights, std::uint64_t type,
                         std::initializer_list<int> codes, int zero_point) {
    const File file(format_onnx(graph, {.weights = weights}));
    CHECK(file.type("conv/kernel/codes") == type);
    CHECK(file.type("conv/kernel/zero_point") == type);
    CHECK(file.raw("conv/kernel/codes") == bytes(codes));
    CHECK(file.raw("conv/kernel/zero_point") == bytes({zero_point}));
    CHECK(file.type("dense/kernel/codes") == int8);
    CHECK(file.raw("dense/kernel/codes") == std::string(24, 1));
  };
  // 100 * 255 twice is beyond 16 bits.
  const InferenceGraph wide = small_graph(unsigned_grid(8, 0.5F), signed_grid(8, 1), {100, -4});
  check(wide, OnnxWeights::uint8, uint8, {228, 124}, 128);
  check(wide, OnnxWeights::int8, int8, {100, -4}, 0);
  const InferenceGraph shifted = small_graph(unsigned_grid(8, 0.5F), unsigned_grid(8, 1, 5));
  check(shifted, OnnxWeights::uint8, uint8, {8, 1}, 5);
  check(shifted, OnnxWeights::int8, int8, {-120, -127}, -123);
}

TEST_CASE("export onnx: ConvInteger has weights of uint8 in any case") {
  InferenceGraphBuilder builder({2, 2, 1});
  builder.set_layer_name("in");
  const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(8, 1.0F / 256)));
  builder.set_layer_name("conv");
  const WeightQuantizers quantizers = kernel_on(signed_grid(8, 1));
  const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
  const InferenceGraph graph = builder.finish(builder.conv2d(
      x, {.padding = Padding::valid()}, {"kernel", floats({1, 1, 1, 2}, {100, -4})}, {"bias", Tensor()}));
  const io::Bytes file = format_onnx(graph);
  CHECK(File(file).raw("conv/kernel/codes") == bytes({228, 124}));
  CHECK(format_onnx(graph, {.weights = OnnxWeights::int8}) == file);
}

TEST_CASE("export onnx: packed codes fill bytes from the low bits") {
  const std::vector<std::int32_t> codes{-2, 1, 0, -1, 1};
  CHECK_FALSE(onnx::pack_codes(codes, 8));
  const auto two = onnx::pack_codes(codes, 2);
  REQUIRE(two);
  CHECK(two->type == onnx::Type::uint2);
  CHECK(two->table == std::vector<std::int32_t>{-2, -1, 0, 1});
  CHECK(io::text_of(two->indices) == bytes({0b01'10'11'00, 0b11}));
  const auto four = onnx::pack_codes(codes, 4);
  REQUIRE(four);
  CHECK(four->type == onnx::Type::uint4);
  CHECK(io::text_of(four->indices) == bytes({0x30, 0x12, 0x03}));
  std::vector<std::int32_t> many(16);
  std::iota(many.begin(), many.end(), -8);
  CHECK(onnx::pack_codes(many, 2)->type == onnx::Type::uint4);
  many.push_back(8);
  CHECK_FALSE(onnx::pack_codes(many, 2));
}

TEST_CASE("export onnx: functions of float32 values, out of the operations of opset 13") {
  using enum ElementwiseFunction;
  const auto operations = [](ElementwiseFunction f) {
    InferenceGraphBuilder builder({3});
    builder.set_layer_name("f");
    const GraphValue x = builder.input();
    const GraphValue y = f == leaky_relu                 ? builder.leaky_relu(x, 0.25F)
                         : f == ElementwiseFunction::pow ? builder.pow(x, 3)
                                                         : builder.elementwise(x, f);
    const File file(format_onnx(builder.finish(y)));
    std::string text;
    for (const std::string& operation : file.operations()) text += operation + ' ';
    return text;
  };
  CHECK(operations(ElementwiseFunction::tanh) == "Tanh ");
  CHECK(operations(hard_sigmoid) == "Add Clip Div ");
  CHECK(operations(hard_swish) == "Add Clip Div Mul ");
  CHECK(operations(leaky_relu) == "PRelu ");
  CHECK(operations(ElementwiseFunction::pow) == "Pow ");
  CHECK(operations(gelu) == "Mul Mul Add Mul Tanh Add Mul Mul ");
}

TEST_CASE("export onnx: a choice is Where with the mask in the order of the file") {
  InferenceGraphBuilder builder({1, 2, 3});
  const Tensor mask = floats({1, 2, 3}, {1, 0, 0, 1, 1, 0});
  builder.set_layer_name("in");
  const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(8, 0.5F)));
  builder.set_layer_name("pool");
  const GraphValue pooled = builder.max_pool2d(x, {1, 3}, {1, 1}, Padding::same());
  builder.set_layer_name("where");
  const GraphValue y = builder.where(mask, pooled, x);
  const File file(format_onnx(builder.finish(y)));
  const auto operations = file.operations();
  CHECK(std::ranges::count(operations, "Where") == 1);
  CHECK(file.raw("where/mask") == bytes({1, 1, 0, 1, 0, 0}));
}

TEST_CASE("export onnx: layer normalisation of float32 values, out of the operations of opset 13") {
  InferenceGraphBuilder builder({2, 3, 4});
  builder.set_layer_name("norm");
  const Tensor ones = Tensor::full({4}, 1);
  const File file(format_onnx(builder.finish(builder.layer_norm(builder.input(), ones, ones, 1e-3F))));
  std::string text;
  for (const std::string& operation : file.operations()) text += operation + ' ';
  CHECK(text.find("ReduceSum Div Sub Mul ReduceSum Div Add Sqrt Div Mul Add ") != std::string::npos);
}

TEST_CASE("export onnx: what cannot be expressed is refused by name") {
  using Catch::Contains;
  CHECK_THROWS_WITH(format_onnx(small_graph(signed_grid(9, 0.5F), signed_grid(4, 1))),
                    Contains("\"conv/out\"") && Contains("9 bits"));
  CHECK_THROWS_WITH(format_onnx(small_graph(signed_grid(4, 0.5F), signed_grid(9, 1), {200, -4})),
                    Contains("\"conv\"") && Contains("-256..255"));
  const InferenceGraph graph = small_graph(signed_grid(4, 0.5F), signed_grid(4, 1));
  CHECK_THROWS_WITH(format_onnx(graph, {.opset = 14}), Contains("14") && Contains("13, 21 or 25"));
  CHECK_THROWS_WITH(format_onnx(graph, {.opset = 13, .pack = 4}), Contains("need opset 21"));
  CHECK_THROWS_WITH(format_onnx(graph, {.opset = 21, .pack = 2}), Contains("need opset 25"));
  CHECK_THROWS_WITH(format_onnx(graph, {.opset = 25, .pack = 3}), Contains("8, 4 or 2"));
}

TEST_CASE("export onnx: a file that cannot be written leaves nothing behind") {
  const support::TemporaryDirectory directory;
  CHECK_THROWS_AS(write_onnx(directory / "missing" / "x.onnx", small_graph(signed_grid(4, 0.5F), signed_grid(4, 1))),
                  IoError);
  CHECK_THROWS_AS(write_onnx(directory / "x.onnx", small_graph(signed_grid(9, 0.5F), signed_grid(4, 1))),
                  NotImplementedError);
  CHECK(directory.names().empty());
  write_onnx(directory / "x.onnx", small_graph(signed_grid(4, 0.5F), signed_grid(4, 1)));
  CHECK(io::read_file(directory / "x.onnx") == format_onnx(small_graph(signed_grid(4, 0.5F), signed_grid(4, 1))));
}
