#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <functional>

#include <bitgrad/core/io/file.hpp>
#include <bitgrad/core/io/npz.hpp>
#include <bitgrad/qat/inference/detail/names.hpp>
#include <support/temporary_directory.hpp>

#include <qat/inference_support.hpp>

using namespace bitgrad;
using namespace bitgrad::test;
using support::TemporaryDirectory;

namespace {

std::string text_of(const io::Path& path) { return io::read_text_file(path); }

/// A graph with every kind of node: the integer operations and the float ones.
InferenceGraph varied_graph() {
  Dice dice(77);
  InferenceGraphBuilder builder({6, 6, 2});
  builder.set_layer_name("in");
  GraphValue x = builder.quantize(builder.input(), activations(unsigned_grid(8, 0.1F / 3, 5)));
  const auto named = [&](const char* name) { builder.set_layer_name(name); };
  const auto hold = [&](const char* name, GraphValue v) {
    named(name);
    return builder.quantize(v, activations(unsigned_grid(6, 0.07F, 9)));
  };
  Grid weights = unsigned_grid(3, 1);
  weights.scale = {0.1F, 0.2F, 0.3F};
  weights.zero_point = {1, 4, 7};
  weights.channel_axis = -1;
  const WeightQuantizers quantizers = kernel_on(weights);
  GraphValue y;
  {
    named("block/conv");
    const InferenceGraphBuilder::WeightScope scope(builder, quantizers);
    y = builder.conv2d(x, {.stride = {2, 1}, .padding = Padding::same()}, {"kernel", dice.tensor({3, 3, 2, 3}, -1, 1)},
                       {"bias", {}});
  }
  x = hold("block/conv/out", builder.clamp(y, 0, 6));
  named("add");
  x = hold("sum", builder.add(x, x));
  named("concat");
  const GraphValue both[] = {x, x};
  x = hold("joined", builder.concat(both, -1));
  named("where");
  Dice coin(78);
  Tensor mask(builder.shape(x));
  for (float& value : mask.span<float>()) value = coin.chance(50) ? 1.0F : 0.0F;
  x = builder.where(mask, x, builder.max_pool2d(x, {3, 3}, {1, 1}, Padding::same()));
  named("average_pool");
  x = hold("average", builder.average_pool2d(x, {2, 2}, {1, 1}, Padding::explicit_(1, 0, 0, 1)));
  named("pool");
  x = builder.upsample2d(x, {1, 2}, Interpolation::nearest);
  {
    named("up");
    const WeightQuantizers per_tensor = kernel_on(signed_grid(4, 0.1F));
    const InferenceGraphBuilder::WeightScope scope(builder, per_tensor);
    x = hold("up/out", builder.conv2d_transpose(x, {.stride = {1, 2}}, {"kernel", dice.tensor({2, 1, 6, 6}, -1, 1)},
                                                {"bias", {}}));
  }
  named("pool");
  x = builder.max_pool2d(builder.pad2d(x, Padding::explicit_(1, 0, 2, 0)), {2, 2}, {1, 2}, Padding::valid());
  named("sigmoid");
  x = hold("table", builder.elementwise(x, ElementwiseFunction::sigmoid));
  named("normalize");
  x = hold("normalized", builder.normalize(x, dice.tensor({6}, -1, 1), dice.tensor({6}, 1, 2)));
  named("global_pool");
  const GraphValue global = hold("global", builder.global_average_pool2d(x));
  named("flat");
  const GraphValue flat = builder.reshape(x, {builder.shape(x).size()});
  named("float_conv");
  y = builder.conv2d(x, {.dilation = {1, 3}, .groups = 2}, {"kernel", dice.tensor({1, 1, 3, 4}, -1, 1)},
                     {"bias", dice.tensor({4}, -1, 1)});
  y = builder.batch_norm(y, dice.tensor({4}, -1, 1), dice.tensor({4}, -1, 1), dice.tensor({4}, -1, 1),
                         dice.tensor({4}, 1, 2), 0);
  y = builder.normalize(builder.clamp(y, -1e-40F, std::numeric_limits<float>::infinity()), floats({1}, {0.1F}),
                        floats({1}, {0.3F}));
  y = builder.elementwise(builder.average_pool2d(y, {2, 2}, {2, 2}, Padding::valid()), ElementwiseFunction::exp);
  y = builder.upsample2d(y, {2, 1}, Interpolation::bilinear);
  y = builder.where(Tensor::zeros(builder.shape(y)), y, y);
  y = builder.global_average_pool2d(builder.add(y, y));
  named("float_dense");
  const GraphValue dense =
      builder.dense(flat, {"kernel", dice.tensor({builder.shape(flat)[0], 4}, -1, 1)}, {"bias", {}});
  named("tail");
  const GraphValue normal = builder.layer_norm(dense, dice.tensor({4}, -1, 1), dice.tensor({4}, -1, 1), 1e-3F);
  const GraphValue parts[] = {builder.softmax(y), builder.log_softmax(dense), global, normal};
  InferenceGraph graph = builder.finish(builder.concat(parts, 0));
  graph.metadata = {{"seed", "42"}, {"data", "fashion \"mnist\" \u00e4"}};
  return graph;
}

/// A saved graph, one of whose files is then spoiled.
struct Saved {
  Saved() {
    static const auto files = [] {
      const TemporaryDirectory saved;
      varied_graph().save(saved.path().string());
      return std::pair(text_of(saved / "graph.json"), io::read_file(saved / "graph.npz"));
    }();
    write(json(), files.first);
    write(npz(), text(files.second));
  }
  static std::string_view text(const io::Bytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  /// Plain writing: what is spoiled here need not reach the disk.
  static void write(const std::string& path, std::string_view content) {
    std::ofstream(path, std::ios::binary) << content;
  }
  std::string json() const { return (folder.path() / "graph.json").string(); }
  std::string npz() const { return (folder.path() / "graph.npz").string(); }
  InferenceGraph load() const { return InferenceGraph::load(folder.path().string()); }

  /// Replaces the first occurrence in graph.json.
  void replace(const std::string& from, const std::string& to) const {
    std::string text = text_of(json());
    const std::size_t at = text.find(from);
    INFO("looking for " << from << " in\n" << text);
    REQUIRE(at != std::string::npos);
    write(json(), text.replace(at, from.size(), to));
  }

  TemporaryDirectory folder;
};

}  // namespace

TEST_CASE("a saved graph loads to the same graph") {
  const InferenceGraph graph = varied_graph();
  const Saved saved;
  const InferenceGraph loaded = saved.load();
  CHECK(loaded.describe() == graph.describe());
  CHECK(loaded.metadata == graph.metadata);
  CHECK(loaded.weight_bytes() == graph.weight_bytes());
  for (std::size_t t = 0; t < graph.tensors.size(); ++t) CHECK(loaded.tensors[t].grid == graph.tensors[t].grid);
  const Tensor x = Dice(1).tensor({5, 6, 6, 2}, -1, 9);
  const std::vector<Tensor> expected = graph.run_all(x), found = loaded.run_all(x);
  for (std::size_t t = 0; t < expected.size(); ++t) CHECK(identical(expected[t], found[t]));
  // Every kind of operation but integer_dense and float_elementwise's siblings is in it.
  std::map<std::string_view, int> kinds;
  for (const GraphNode& node : graph.nodes) ++kinds[name_of(node.operation)];
  CHECK(kinds.size() == std::variant_size_v<GraphOperation> - 1);
}

TEST_CASE("random graphs survive the round trip") {
  const TemporaryDirectory folder;
  for (unsigned seed = 400; seed < 408; ++seed) {
    const InferenceGraph graph = RandomNetwork(seed, seed % 2 ? 16 : 8).build();
    graph.save(folder.path().string());
    const InferenceGraph loaded = InferenceGraph::load(folder.path().string());
    const Tensor x = Dice(seed).tensor(graph.tensors[0].shape.prepended(3), 0, 1);
    CHECK(identical(loaded.run(x), graph.run(x)));
    CHECK(loaded.describe() == graph.describe());
  }
}

TEST_CASE("functions of float32 values survive the round trip, slope and exponent included") {
  using enum ElementwiseFunction;
  InferenceGraphBuilder builder({5});
  GraphValue x = builder.input();
  for (const ElementwiseFunction f : {sigmoid, ElementwiseFunction::tanh, gelu, hard_sigmoid, hard_swish}) {
    builder.set_layer_name(inference::name_of(f));
    x = builder.elementwise(x, f);
  }
  builder.set_layer_name("pow");
  x = builder.pow(x, 0.7F);
  builder.set_layer_name("leaky");
  InferenceGraph graph = builder.finish(builder.leaky_relu(x, -0.3F));
  const TemporaryDirectory folder;
  graph.save(folder.path().string());
  const InferenceGraph loaded = InferenceGraph::load(folder.path().string());
  const Tensor values = Dice(3).tensor({40, 5}, -4, 4);
  CHECK(identical(loaded.run(values), graph.run(values)));
  CHECK(std::get<FloatElementwise>(loaded.nodes.back().operation).slope == -0.3F);
  const std::string text = text_of(folder / "graph.json");
  CHECK_THAT(text, Catch::Contains("\"function\":\"leaky_relu\",\"slope\":-0.3"));
  CHECK(text.find("slope") == text.rfind("slope"));
  CHECK_THAT(text, Catch::Contains("\"function\":\"pow\",\"exponent\":0.7"));
  CHECK(text.find("exponent") == text.rfind("exponent"));

  std::get<FloatElementwise>(graph.nodes.back().operation).slope = INFINITY;
  CHECK_THROWS_WITH(graph.validate(), Catch::Contains("\"leaky\"") && Catch::Contains("slope is inf"));
  CHECK_THROWS_WITH(builder.leaky_relu(x, INFINITY), Catch::Contains("the slope is inf"));
  std::get<FloatElementwise>(graph.nodes.front().operation).exponent = INFINITY;
  CHECK_THROWS_WITH(graph.validate(), Catch::Contains("exponent is inf"));
  CHECK_THROWS_WITH(builder.pow(x, NAN), Catch::Contains("the exponent is nan"));
  CHECK_THROWS_WITH(builder.elementwise(x, ElementwiseFunction::pow), Catch::Contains("pow without an exponent"));
  CHECK_THROWS_WITH(builder.elementwise(x, leaky_relu), Catch::Contains("leaky_relu without a slope"));
}

TEST_CASE("the same graph gives the same bytes, again after loading") {
  const Saved first;
  struct {
    TemporaryDirectory folder;
    std::string json() const { return folder / "graph.json"; }
    std::string npz() const { return folder / "graph.npz"; }
  } second;
  varied_graph().save(second.folder.path().string());
  CHECK(text_of(first.json()) == text_of(second.json()));
  CHECK(io::read_file(first.npz()) == io::read_file(second.npz()));
  const TemporaryDirectory again;
  first.load().save(again.path().string());
  CHECK(text_of((again.path() / "graph.json").string()) == text_of(first.json()));
  CHECK(io::read_file(again.path() / "graph.npz") == io::read_file(first.npz()));
}

TEST_CASE("graph.json is for people, and narrow codes take one byte") {
  const Saved saved;
  const std::string text = text_of(saved.json());
  for (const char* part :
       {"\"format\": \"bitgrad.graph\"", "\"version\": 1", "{\"name\":\"block/conv\",\"operation\":\"integer_conv2d\"",
        "\"inputs\":[\"in\"]", "\"scale\":0.033333335", "\"high\":\"infinity\"", "\"low\":-1e-40",
        "\"padding\":\"same\"", "\"padding\":[1,0,0,1]"})
    CHECK_THAT(text, Catch::Contains(part));
  const NamedTensors arrays = io::read_npz(saved.npz());
  CHECK(arrays.at("block/conv.codes").dtype() == DType::int8);
  CHECK(arrays.at("block/conv.bias").dtype() == DType::int32);
  CHECK(arrays.at("block/conv.scale").shape() == Shape{3});
}

TEST_CASE("saving over an older graph replaces it, and other directories are made") {
  const TemporaryDirectory folder;
  const std::string path = (folder.path() / "deep" / "er").string();
  RandomNetwork(1, 8).build().save(path);
  const InferenceGraph graph = varied_graph();
  graph.save(path);
  CHECK(InferenceGraph::load(path).describe() == graph.describe());
  CHECK(std::distance(std::filesystem::directory_iterator(path), {}) == 2);  // no temporary stays behind
  io::write_file_atomically(folder.path() / "file", std::string_view("x"));
  CHECK_THROWS_AS(graph.save((folder.path() / "file" / "below").string()), IoError);
  CHECK_THROWS_WITH(InferenceGraph::load((folder.path() / "none").string()), Catch::Contains("none/graph.json"));
}

TEST_CASE("files of two graphs are never mixed, damaged arrays never read") {
  const Saved saved;
  const TemporaryDirectory other;
  RandomNetwork(3, 8).build().save(other.path().string());
  std::filesystem::copy_file(other.path() / "graph.npz", saved.npz(),
                             std::filesystem::copy_options::overwrite_existing);
  CHECK_THROWS_WITH(saved.load(),
                    Catch::Contains("graph.npz") && Catch::Contains("CRC-32") && Catch::Contains("another graph"));

  const Saved truncated;
  io::Bytes bytes = io::read_file(truncated.npz());
  bytes.resize(bytes.size() / 2);
  Saved::write(truncated.npz(), Saved::text(bytes));
  CHECK_THROWS_AS(truncated.load(), IoError);

  const Saved flipped;
  bytes = io::read_file(flipped.npz());
  bytes[bytes.size() / 3] ^= std::byte{1};
  Saved::write(flipped.npz(), Saved::text(bytes));
  CHECK_THROWS_AS(flipped.load(), IoError);

  const Saved missing;
  std::filesystem::remove(missing.npz());
  CHECK_THROWS_WITH(missing.load(), Catch::Contains("graph.npz"));
}

TEST_CASE("a truncated graph.json is refused wherever it ends") {
  const Saved saved;
  const std::string text = text_of(saved.json());
  for (std::size_t length = 0; length + 2 < text.size(); length += 97) {
    Saved::write(saved.json(), std::string_view(text).substr(0, length));
    CHECK_THROWS_AS(saved.load(), IoError);
  }
}

TEST_CASE("graph.json is read strictly, with messages that say where") {
  const auto refuses = [](const char* from, const char* to, const char* first, const char* second = "graph.json") {
    const Saved saved;
    saved.replace(from, to);
    INFO(from << " -> " << to);
    CHECK_THROWS_AS(saved.load(), IoError);
    CHECK_THROWS_WITH(saved.load(), Catch::Contains(first) && Catch::Contains(second));
  };
  refuses("bitgrad.graph", "other.graph", "other.graph", "bitgrad.graph");
  refuses("\"version\": 1", "\"version\": 2", "version 2", "reads version 1");
  refuses("\"version\": 1", "\"version\": \"1\"", "version", "integer");
  refuses("\"requantization\": \"ort\"", "\"requantization\": \"fast\"", "fast");
  refuses("\"version\": 1", "\"version\": 1, \"extra\": 1", "unknown key \"extra\"");
  refuses("\"version\": 1", "\"version\": 1, \"version\": 1", "twice");
  refuses("\"input\": \"input\",", "", "\"input\" is missing");
  refuses("\"output\": \"tail/", "\"output\": \"tale/", "no tensor \"tale/");
  refuses("integer_conv2d", "integer_conv3d", "unknown operation \"integer_conv3d\"", "block/conv");
  refuses("\"stride\":[2,1]", "\"stride\":[2]", "1 numbers, expected 2", "block/conv");
  refuses("\"stride\":[2,1]", "\"stride\":[2,1.5]", "expected an integer", "block/conv");
  refuses("\"stride\":[2,1]", "\"stride\":[0,1]", "stride");
  refuses("\"stride\":[2,1]", "\"stride\":[2,1],\"colour\":[1,1]", "unknown key \"colour\"", "block/conv");
  refuses("\"stride\":[2,1]", "\"stride\":[2,1],\"dilation\":[1,0]", "dilation (1, 0)");
  refuses("\"stride\":[2,1]", "\"stride\":[2,1],\"dilation\":[1,4611686018427387904]", "dilation", "block/conv");
  refuses("\"stride\":[2,1]", "\"stride\":[2,1],\"groups\":2", "3 output channels, expected multiples of the 2 groups");
  refuses("\"dilation\":[1,3]", "\"dilation\":3", "dilation", "float_conv");
  refuses("\"groups\":2", "\"groups\":0", "0 groups");
  refuses("\"groups\":2", "\"groups\":[2]", "expected an integer", "float_conv");
  refuses("\"padding\":\"same\"", "\"padding\":\"some\"", "padding", "block/conv");
  refuses("\"function\":\"exp\"", "\"function\":\"expo\"", "expo");
  refuses("\"inputs\":[\"in\"]", "\"inputs\":[\"out\"]", "no tensor \"out\"", "block/conv");
  refuses("\"inputs\":[\"in\"]", "\"inputs\":[\"sum\"]", "which no earlier node writes", "block/conv");
  refuses("\"inputs\":[\"in\"]", "\"inputs\":[1]", "names of tensors", "block/conv");
  refuses("\"bits\":8", "\"bits\":17", "17 bits");
  refuses("\"bits\":8", "\"bits\":\"8\"", "expected an integer");
  refuses("\"scale\":0.033333335", "\"scale\":-1", "scale");
  refuses("\"zero_point\":5", "\"zero_point\":300", "zero point");
  refuses("\"zero_point\":5", "\"zero_point\":99999999999", "integer in range");
  refuses("\"shape\":[6,6,2]", "\"shape\":[6,6,3]", "graph.json");
  refuses("\"shape\":[6,6,2]", "\"shape\":[6,-6,2]", "graph.json");
  refuses("\"shape\":[6,6,2]", "\"shape\":[4294967296,4294967296,2]", "graph.json");
  refuses("\"clamp\":[9,63]", "\"clamp\":[9,64]", "clamp is 9..64", "block/conv");
  refuses("{\"name\":\"sum\",\"shape\"", "{\"name\":\"in\",\"shape\"", "no tensor \"sum\"");
  refuses("\"name\":\"float_dense\",\"operation\"", "\"name\":\"float_conv\",\"operation\"", "float_dense.kernel",
          "belongs to no node");
  refuses("\"logarithm\":true", "\"logarithm\":1", "true or false");
}

TEST_CASE("arrays must be those of the nodes") {
  const auto refuses = [](const std::function<void(NamedTensors&)>& change, const char* first, const char* second) {
    const Saved saved;
    NamedTensors arrays = io::read_npz(saved.npz());
    change(arrays);
    Saved::write(saved.npz(), Saved::text(io::format_npz(arrays)));
    // Make the two files belong together again.
    try {
      saved.load();
      FAIL("loads although the arrays have changed");
    } catch (const IoError& error) {
      const std::string what = error.what();
      std::size_t at =
          0;  // "...graph.npz: SIZE bytes with CRC-32 SUM, but graph.json ... expects SIZE bytes with CRC-32 SUM;"
      const auto word = [&](const std::string& behind) {
        at = what.find(behind, at) + behind.size();
        return what.substr(at, what.find_first_of(" ,;", at) - at);
      };
      const std::string size = word("graph.npz: "), sum = word("CRC-32 "), old_size = word("expects "),
                        old_sum = word("CRC-32 ");
      saved.replace("\"bytes\":" + old_size, "\"bytes\":" + size);
      if (old_sum != sum) saved.replace(old_sum, sum);
    }
    CHECK_THROWS_WITH(saved.load(), Catch::Contains(first) && Catch::Contains(second));
    CHECK_THROWS_AS(saved.load(), IoError);
  };
  const auto swapped = [](const char* name, const Tensor& tensor) {
    return [name, tensor](NamedTensors& arrays) { arrays.at(name) = tensor; };
  };
  refuses([](NamedTensors& arrays) { arrays.add("nobody", Tensor({1})); }, "nobody", "belongs to no node");
  refuses(swapped("block/conv.bias", Tensor::zeros({3})), "block/conv", "bias");
  refuses(swapped("block/conv.bias", Tensor::zeros({4}, DType::int32)), "block/conv", "(4)");
  refuses(swapped("block/conv.codes", Tensor::full({3, 3, 2, 3}, 8, DType::int32)), "block/conv", "8, expected 0..7");
  refuses(swapped("block/conv.codes", Tensor::zeros({3, 3, 2, 4}, DType::int32)), "block/conv", "expected");
  refuses(swapped("block/conv.codes", Tensor::zeros({54}, DType::int32)), "block/conv", "rank 4");
  refuses(swapped("block/conv.multiplier", Tensor::zeros({3})), "block/conv", "multiplier");
  refuses(swapped("block/conv.multiplier", Tensor::full({2}, 1)), "block/conv", "multiplier");
  refuses(swapped("block/conv.scale", Tensor::full({2}, 1)), "block/conv", "zero points");
  refuses(swapped("block/conv.zero_point", Tensor::full({3}, 1 << 30, DType::int32)), "block/conv", "zero point");
  refuses(swapped("sigmoid.codes", Tensor::zeros({63}, DType::int32)), "sigmoid", "63");
  refuses(swapped("sigmoid.codes", Tensor::full({64}, 64, DType::int32)), "sigmoid", "64");
  refuses(swapped("float_conv.kernel", Tensor::zeros({1, 1, 6, 4}, DType::int32)), "float_conv", "kernel");
}

TEST_CASE("validate names node and field of a graph that was changed in memory") {
  const InferenceGraph good = varied_graph();
  const auto refuses = [&](const std::function<void(InferenceGraph&)>& change, const char* first,
                           const char* second = "") {
    InferenceGraph graph = good;
    change(graph);
    CHECK_THROWS_WITH(graph.validate(), Catch::Contains(first) && Catch::Contains(second));
    const TemporaryDirectory folder;
    CHECK_THROWS_AS(graph.save(folder.path().string()), Error);
    CHECK(std::filesystem::is_empty(folder.path()));
  };
  const auto node = [](InferenceGraph& graph, const char* name) -> GraphNode& {
    return const_cast<GraphNode&>(node_writing(graph, name));
  };
  refuses([](auto& g) { g.output = 99; }, "output 99");
  refuses([](auto& g) { g.input = -1; }, "input is tensor -1");
  refuses([](auto& g) { g.nodes.pop_back(); }, "no node writes");
  refuses([](auto& g) { g.nodes[1].inputs = {}; }, "block/conv", "nothing");
  refuses([](auto& g) { g.nodes[1].inputs = {1, 1}; }, "block/conv", "2 inputs, expected 1");
  refuses([](auto& g) { g.nodes[1].inputs = {0}; }, "block/conv", "\"input\" has no grid");
  refuses([](auto& g) { std::swap(g.nodes[1], g.nodes[2]); }, "no earlier node");
  refuses([](auto& g) { g.nodes[2].output = g.nodes[1].output; }, "written already");
  refuses([](auto& g) { g.tensors[2].grid->scale[0] = 0; }, "block/conv/out", "scale");
  refuses([](auto& g) { g.tensors[2].grid->zero_point[0] = 64; }, "block/conv/out", "zero point");
  refuses([](auto& g) { g.tensors[2].grid.reset(); }, "\"add\"", "no grid");
  refuses([](auto& g) { g.tensors[2].name = g.tensors[1].name; }, "\"in\"", "twice");
  refuses([](auto& g) { g.nodes[2].name = g.nodes[1].name; }, "\"block/conv\"", "twice");
  refuses([](auto& g) { g.tensors[2].shape = {3, 6, 4}; }, "block/conv", "(3, 6, 3)");
  refuses([](auto& g) { g.tensors[0].grid = unsigned_grid(8, 1); }, "input has a grid");
  refuses(
      [&](auto& g) {
        std::get<IntegerConv2D>(node(g, "block/conv/out").operation).weights.bias.template data<std::int32_t>()[0] =
            2147483647;
      },
      "block/conv", "channel 0 can leave int32");
  refuses([](auto& g) { g.mode = static_cast<RequantizationMode>(7); }, "mode");
}

TEST_CASE("weight bytes: packed codes, biases, scales, and float where a layer was left in it") {
  const InferenceGraph graph = varied_graph();
  const std::size_t conv = (54 * 3 + 7) / 8 + 3 * 4 + 3 * 4, float_conv = (12 + 4) * 4, batch_norm = 8 * 4,
                    layer_norm = 8 * 4, up = 72 / 2 + 6 * 4 + 4;
  const std::size_t dense = std::get<FloatDense>(node_writing(graph, "float_dense").operation).kernel.byte_size();
  CHECK(graph.weight_bytes() == conv + up + float_conv + batch_norm + layer_norm + dense);
}
