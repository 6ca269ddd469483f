// TFLite files, read back by a small decoder of FlatBuffers.
#include <catch2/catch.hpp>
#include <cstring>
#include <set>

#include <bitgrad/core/io/detail/bytes.hpp>
#include <bitgrad/qat/export/tflite.hpp>
#include <bitgrad/qat/inference/requantization.hpp>
#include "qat/export_support.hpp"

using namespace bitgrad;
using namespace bitgrad::test;

namespace {

/// A table of the file. Every access is checked against its end.
class Table {
 public:
  Table(std::string_view file, std::size_t at) : file_(file), at_(at) {}
  static Table root(std::string_view file) { return {file, read<std::uint32_t>(file, 0)}; }

  template <class T>
  T scalar(int slot, T otherwise = {}) const {
    const std::size_t at = field(slot);
    if (at == 0) return otherwise;
    CHECK(at % sizeof(T) == 0);
    return read<T>(file_, at);
  }
  std::string text(int slot) const {
    const auto values = numbers<char>(slot);
    return {values.begin(), values.end()};
  }
  template <class T>
  std::vector<T> numbers(int slot) const {
    std::vector<T> result;
    if (field(slot) == 0) return result;
    const std::size_t vector = target(field(slot)), count = read<std::uint32_t>(file_, vector);
    CHECK((vector + 4) % sizeof(T) == 0);
    for (std::size_t i = 0; i < count; ++i) result.push_back(read<T>(file_, vector + 4 + i * sizeof(T)));
    return result;
  }
  Table table(int slot) const { return {file_, target(field(slot))}; }
  std::vector<Table> tables(int slot) const {
    std::vector<Table> result;
    const std::size_t vector = target(field(slot)), count = read<std::uint32_t>(file_, vector);
    for (std::size_t i = 0; i < count; ++i) result.push_back({file_, target(vector + 4 + 4 * i)});
    return result;
  }
  std::size_t address(int slot) const { return target(field(slot)); }

 private:
  template <class T>
  static T read(std::string_view file, std::size_t at) {
    REQUIRE(at + sizeof(T) <= file.size());
    T value;
    std::memcpy(&value, file.data() + at, sizeof(T));
    return value;
  }
  std::size_t target(std::size_t at) const { return at + read<std::uint32_t>(file_, at); }
  /// Where the field lies, or 0.
  std::size_t field(int slot) const {
    const std::size_t vtable = at_ - static_cast<std::size_t>(read<std::int32_t>(file_, at_));
    const std::size_t entry = 4 + 2 * static_cast<std::size_t>(slot);
    if (entry >= read<std::uint16_t>(file_, vtable)) return 0;
    const std::size_t offset = read<std::uint16_t>(file_, vtable + entry);
    return offset == 0 ? 0 : at_ + offset;
  }

  std::string_view file_;
  std::size_t at_;
};

struct File {
  explicit File(io::Bytes data) : bytes(std::move(data)) {}
  Table model() const { return Table::root(io::text_of(bytes)); }
  Table graph() const { return model().tables(2).at(0); }
  std::vector<int> operators() const {
    std::vector<int> result;
    const auto codes = model().tables(1);
    for (const Table& node : graph().tables(3))
      result.push_back(codes.at(node.scalar<std::uint32_t>(0)).scalar<std::int32_t>(3));
    return result;
  }
  Table tensor(const std::string& name) const {
    for (const Table& each : graph().tables(0))
      if (each.text(3) == name) return each;
    FAIL("no tensor " << name);
    return model();
  }
  template <class T>
  std::vector<T> data(const std::string& name) const {
    const Table buffer = model().tables(4).at(tensor(name).scalar<std::uint32_t>(2));
    CHECK((buffer.address(0) + 4) % 16 == 0);
    const std::vector<std::uint8_t> stored = buffer.numbers<std::uint8_t>(0);
    std::vector<T> result(stored.size() / sizeof(T));
    std::memcpy(result.data(), stored.data(), result.size() * sizeof(T));
    return result;
  }

  io::Bytes bytes;
};

}  // namespace

TEST_CASE("export tflite: operators on codes, in order") {
  const File file(format_tflite(small_graph(signed_grid(4, 0.5F), signed_grid(4, 1))));
  CHECK(io::text_of(file.bytes).substr(4, 4) == "TFL3");
  CHECK(file.model().scalar<std::uint32_t>(0) == 3);
  // Quantize, Conv2D, Minimum, Reshape; then the logits: Reshape, Dequantize twice, FullyConnected, Mul.
  CHECK(file.operators() == std::vector<int>{114, 3, 57, 22, 22, 6, 6, 9, 18});
  CHECK(file.data<std::int8_t>("conv/kernel") == std::vector<std::int8_t>{3, -4});
  CHECK(file.tensor("conv/kernel").numbers<std::int32_t>(0) == std::vector<std::int32_t>{2, 1, 1, 1});
  CHECK(file.tensor("dense/kernel").numbers<std::int32_t>(0) == std::vector<std::int32_t>{3, 8});
  // Codes -8..7 become -128..-113, real zero -120.
  const Table quantization = file.tensor("conv/out").table(4);
  CHECK(quantization.numbers<float>(2) == std::vector<float>{0.5F});
  CHECK(quantization.numbers<std::int64_t>(3) == std::vector<std::int64_t>{-120});
  CHECK(file.data<std::int8_t>("conv/out/highest") == std::vector<std::int8_t>{-113});
  // Biases 1 and -1 in units of 1/256: the bytes of 256 and -256.
  CHECK(file.data<std::uint8_t>("conv/bias") == std::vector<std::uint8_t>{0, 1, 0, 0, 0, 255, 255, 255});
}

TEST_CASE("export tflite: no bounds where int8 saturates at the right codes") {
  for (const int code : File(format_tflite(small_graph(signed_grid(8, 0.5F), signed_grid(4, 1)))).operators()) {
    CHECK(code != 55);
    CHECK(code != 57);
  }
}

TEST_CASE("export tflite: the same graph gives the same bytes") {
  const InferenceGraph graph = small_graph(unsigned_grid(8, 0.5F), signed_grid(8, 1));
  CHECK(format_tflite(graph) == format_tflite(graph));
}

TEST_CASE("export tflite: what the format has no place for is refused by name") {
  CHECK_THROWS_WITH(format_tflite(small_graph(signed_grid(9, 0.5F), signed_grid(4, 1))),
                    Catch::Contains("\"conv/out\"") && Catch::Contains("9 bits"));
  CHECK_THROWS_WITH(format_tflite(small_graph(signed_grid(8, 0.5F), unsigned_grid(8, 1), {200, 0})),
                    Catch::Contains("\"conv\"") && Catch::Contains("0..200 steps from their zero points"));
  CHECK_THROWS_WITH(format_tflite(small_graph(signed_grid(8, 0.5F), signed_grid(12, 1), {2000, -4})),
                    Catch::EndsWith("the weights of \"conv\" have 12 bits; TFLite's weights have at most 8"));
  CHECK_THROWS_WITH(format_tflite(small_graph(signed_grid(8, 0.5F), signed_grid(4, 1)), {.pack = 2}),
                    Catch::Contains("packed to 2 bits"));
}

TEST_CASE("export tflite: what computes on float32 is refused with the reason") {
  using Catch::Contains;
  const Tensor one = floats({1}, {1}), kernel = floats({4, 2}, std::vector<float>(8, 1));
  const auto refused = [](const auto& layers) {
    InferenceGraphBuilder builder({2, 2, 1});
    const InferenceGraph graph = builder.finish(layers(builder));
    try {
      format_tflite(graph);
    } catch (const NotImplementedError& error) {
      return std::string(error.what());
    }
    return std::string("written");
  };
  const auto dense = [&](InferenceGraphBuilder& builder, GraphValue x) {
    builder.set_layer_name("flat");
    x = builder.reshape(x, {4});
    builder.set_layer_name("dense");
    return builder.dense(x, {"kernel", kernel}, {"bias", Tensor()});
  };
  const auto codes = [](InferenceGraphBuilder& builder, GraphValue x) {
    builder.set_layer_name("codes");
    return builder.quantize(x, activations(unsigned_grid(8, 1)));
  };
  CHECK_THAT(refused([&](InferenceGraphBuilder& b) { return dense(b, b.input()); }),
             Contains("no activations are quantized") && Contains("train with --weights and --activations"));
  CHECK_THAT(refused([&](InferenceGraphBuilder& b) { return dense(b, codes(b, b.input())); }),
             Contains("\"dense\" is float_dense, which computes on float32, because its weights or its input are not"));
  CHECK_THAT(refused([&](InferenceGraphBuilder& b) {
               b.set_layer_name("normalize");
               const GraphValue x = b.normalize(b.input(), one, one);
               return codes(b, x);
             }),
             Contains("\"normalize\" is float_normalize, a normalization in float32") && Contains(":normalized"));
  CHECK_THAT(refused([&](InferenceGraphBuilder& b) {
               const GraphValue x = codes(b, b.input());
               b.set_layer_name("norm");
               return b.layer_norm(x, one, one, 1e-3F);
             }),
             Contains("\"norm\" is float_layer_norm, which computes on float32; the file computes on codes"));
}

TEST_CASE("export tflite: weights are stored less their zero points") {
  const File file(format_tflite(small_graph(signed_grid(8, 0.5F), unsigned_grid(4, 1, 5))));
  CHECK(file.data<std::int8_t>("conv/kernel") == std::vector<std::int8_t>{3, -4});
  CHECK(file.tensor("conv/kernel").table(4).numbers<std::int64_t>(3) == std::vector<std::int64_t>{0});
}

TEST_CASE("export tflite: weights of 4 bits, two to a byte, where the kernels of the mode take them") {
  constexpr std::int8_t int8 = 9, int4 = 17;
  InferenceGraph graph = small_graph(signed_grid(8, 0.5F), signed_grid(4, 1));
  const auto type = [&](const std::string& kernel, int pack) {
    return File(format_tflite(graph, {.pack = pack})).tensor(kernel).scalar<std::int8_t>(1);
  };
  CHECK(type("conv/kernel", 8) == int8);
  CHECK(type("conv/kernel", 4) == int8);   // XNNPACK has no convolution with them
  CHECK(type("dense/kernel", 4) == int4);  // dequantized for the logits
  set_requantization(graph, RequantizationMode::tflm_double);
  CHECK(type("conv/kernel", 8) == int8);
  CHECK(type("conv/kernel", 4) == int4);
  const File file(format_tflite(graph, {.pack = 4}));
  CHECK(file.data<std::uint8_t>("conv/kernel") == std::vector<std::uint8_t>{0xC3});  // 3 and -4
  CHECK(file.data<std::uint8_t>("dense/kernel") == std::vector<std::uint8_t>(12, 0x11));
  CHECK(file.tensor("conv/kernel").numbers<std::int32_t>(0) == std::vector<std::int32_t>{2, 1, 1, 1});
  for (const Table& code : file.model().tables(1)) {
    const std::int32_t version = code.scalar<std::int32_t>(2, 1);
    if (code.scalar<std::int32_t>(3) == 3) CHECK(version == 7);  // Conv2D
    if (code.scalar<std::int32_t>(3) == 6) CHECK(version == 6);  // Dequantize
  }
  InferenceGraph wide = small_graph(signed_grid(8, 0.5F), signed_grid(8, 1), {8, -4});  // 8 is no int4
  set_requantization(wide, RequantizationMode::tflm_double);
  CHECK(File(format_tflite(wide, {.pack = 4})).tensor("conv/kernel").scalar<std::int8_t>(1) == int8);
}

TEST_CASE("export tflite: concatenated codes come to one grid through a table") {
  InferenceGraphBuilder builder({2, 2, 1});
  builder.set_layer_name("a");
  const GraphValue a = builder.quantize(builder.input(), activations(unsigned_grid(8, 1.0F / 256)));
  builder.set_layer_name("b");
  const GraphValue b = builder.quantize(builder.input(), activations(unsigned_grid(7, 1.0F / 128, 3)));
  builder.set_layer_name("both");
  const std::vector<GraphValue> values{a, b};
  const InferenceGraph graph =
      builder.finish(builder.quantize(builder.concat(values, -1), activations(unsigned_grid(8, 1.0F / 256))));
  const File file(format_tflite(graph));
  CHECK(file.operators() == std::vector<int>{114, 114, 57, 53, 0, 36, 2});  // b alone: Minimum, Cast, Add, Gather
  const auto table = file.data<std::int8_t>("both/b/table");
  REQUIRE(table.size() == 128);
  for (int code = 0; code < 128; ++code)
    CHECK(table[static_cast<std::size_t>(code)] == std::min(std::max(2 * (code - 3), 0), 255) - 128);
  CHECK(file.data<std::uint8_t>("both/b/starts") == std::vector<std::uint8_t>{128, 0, 0, 0});
}

TEST_CASE("export tflite: average pooling is a depthwise convolution by ones") {
  const auto pooled = [](const Padding& padding) {
    InferenceGraphBuilder builder({4, 4, 2});
    builder.set_layer_name("in");
    const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(8, 1.0F / 256)));
    builder.set_layer_name("mean");
    const GraphValue y = builder.average_pool2d(x, {2, 2}, {1, 1}, padding);
    return builder.finish(builder.quantize(y, activations(unsigned_grid(8, 1.0F / 128))));
  };
  InferenceGraph graph = pooled(Padding::valid());
  CHECK_THROWS_WITH(format_tflite(graph), Catch::Contains("\"mean\"") && Catch::Contains("xnnpack"));
  set_requantization(graph, RequantizationMode::xnnpack);
  const File file(format_tflite(graph));
  CHECK(file.operators() == std::vector<int>{114, 4});
  CHECK(file.data<std::int8_t>("mean/ones") == std::vector<std::int8_t>(8, 1));
  CHECK(file.tensor("mean/ones").table(4).numbers<float>(2) == std::vector<float>{0.25F, 0.25F});
  InferenceGraph padded = pooled(Padding::same());
  set_requantization(padded, RequantizationMode::xnnpack);
  CHECK_THROWS_WITH(format_tflite(padded), Catch::Contains("\"mean\"") && Catch::Contains("1 to 4 pixels"));
}

TEST_CASE("export tflite: sums and global averages need the mode of a kernel") {
  InferenceGraphBuilder builder({2, 2, 1});
  builder.set_layer_name("in");
  const GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(8, 1.0F / 256)));
  builder.set_layer_name("twice");
  const GraphValue sum = builder.quantize(builder.add(x, x), activations(unsigned_grid(8, 1.0F / 128)));
  builder.set_layer_name("mean");
  InferenceGraph graph =
      builder.finish(builder.quantize(builder.global_average_pool2d(sum), activations(unsigned_grid(8, 1.0F / 128))));
  CHECK_THROWS_WITH(format_tflite(graph), Catch::Contains("\"twice\"") && Catch::Contains("xnnpack"));
  set_requantization(graph, RequantizationMode::xnnpack);
  const File file(format_tflite(graph));
  CHECK(file.operators() == std::vector<int>{114, 0, 40});  // Quantize, Add, Mean
  const auto metadata = file.model().tables(6);
  REQUIRE(metadata.size() == 1);
  CHECK(metadata[0].text(0) == "requantization");
  const auto text = file.model().tables(4).at(metadata[0].scalar<std::uint32_t>(1)).numbers<char>(0);
  CHECK(std::string(text.begin(), text.end()) == "xnnpack");
}

TEST_CASE("export tflite: repeated pixels, and zeros between pixels of a transposed convolution") {
  InferenceGraphBuilder builder({2, 3, 1});
  builder.set_layer_name("in");
  GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(8, 1.0F / 256, 7)));
  builder.set_layer_name("larger");
  x = builder.upsample2d(x, {1, 2}, Interpolation::nearest);
  const WeightQuantizers quantizers = kernel_on(signed_grid(4, 1));
  builder.set_layer_name("transposed");
  const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
  x = builder.conv2d_transpose(x, {.stride = {3, 2}, .padding = Padding::same()},
                               {"kernel", floats({3, 2, 1, 1}, {1, 2, 3, 4, 5, 6})}, {"bias", Tensor()});
  builder.set_layer_name("out");
  const File file(format_tflite(builder.finish(builder.quantize(x, activations(unsigned_grid(8, 1))))));
  // Quantize, ResizeNearestNeighbor; Reshape, Pad, Reshape, Pad, Reshape, Slice; Pad, Conv2D.
  CHECK(file.operators() == std::vector<int>{114, 97, 22, 34, 22, 34, 22, 65, 34, 3});
  CHECK(file.data<std::int32_t>("larger/size") == std::vector<std::int32_t>{2, 6});
  CHECK(file.data<std::int32_t>("transposed/zeros/size") == std::vector<std::int32_t>{-1, 4, 11, 1});
  CHECK(file.tensor("transposed/zeros").numbers<std::int32_t>(0) == std::vector<std::int32_t>{1, 4, 11, 1});
  CHECK(file.data<std::int8_t>("transposed/kernel") == std::vector<std::int8_t>{6, 5, 4, 3, 2, 1});
}

TEST_CASE("export tflite: every quantized tensor as an output") {
  const InferenceGraph graph = small_graph(signed_grid(4, 0.5F), signed_grid(4, 1));
  CHECK(File(format_tflite(graph)).graph().numbers<std::int32_t>(2).size() == 1);
  const File file(format_tflite(graph, {.codes = true}));
  const auto outputs = file.graph().numbers<std::int32_t>(2);
  std::set<std::string> names;
  for (const std::int32_t output : outputs)
    names.insert(file.graph().tables(0).at(static_cast<std::size_t>(output)).text(3));
  std::set<std::string> expected{graph.tensors[static_cast<std::size_t>(graph.output)].name};
  for (const GraphTensor& tensor : graph.tensors)
    if (tensor.grid) expected.insert(tensor.name);
  CHECK(names == expected);
  CHECK(outputs.size() == expected.size());
}
