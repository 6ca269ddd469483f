#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include <bitgrad/core/io/detail/strict_json.hpp>
#include <bitgrad/qat/inference/detail/graph_fields.hpp>
#include <bitgrad/qat/inference/detail/graph_format.hpp>
#include <bitgrad/qat/inference/detail/names.hpp>
#include <bitgrad/qat/inference/requantization.hpp>

namespace bitgrad::inference {
namespace {

using Json =
    nlohmann::basic_json<nlohmann::ordered_map, std::vector, std::string, bool, std::int64_t, std::uint64_t, float>;

constexpr int max_depth = 6;

/// An object whose members are taken one by one; finish() refuses those that nobody asked for.
class Object {
 public:
  Object(const Json& json, std::string what) : json_(json), what_(std::move(what)) {
    if (!json.is_object()) fail<IoError>(what_, ": expected an object");
  }

  template <class... Parts>
  [[noreturn]] void complain(const Parts&... parts) const {
    fail<IoError>(what_, ": ", parts...);
  }
  bool has(const char* key) const { return json_.contains(key); }
  const Json& get(const char* key) {
    const auto found = json_.find(key);
    if (found == json_.end()) complain("\"", key, "\" is missing");
    taken_.insert(key);
    return *found;
  }
  std::string text(const char* key) {
    const Json& value = get(key);
    if (!value.is_string()) complain("\"", key, "\" is ", value.dump(), ", expected a string");
    return value.get<std::string>();
  }
  bool boolean(const char* key) {
    const Json& value = get(key);
    if (!value.is_boolean()) complain("\"", key, "\" is ", value.dump(), ", expected true or false");
    return value.get<bool>();
  }
  float number(const char* key) {
    const Json& value = get(key);
    if (value == "infinity") return std::numeric_limits<float>::infinity();
    if (value == "-infinity") return -std::numeric_limits<float>::infinity();
    if (!value.is_number()) complain("\"", key, "\" is ", value.dump(), ", expected a number");
    return value.get<float>();
  }
  template <class T>
  T integer(const char* key) {
    return to_integer<T>(key, get(key));
  }
  template <class T>
  std::vector<T> integers(const char* key) {
    const Json& value = get(key);
    if (!value.is_array()) complain("\"", key, "\" is ", value.dump(), ", expected a list of integers");
    std::vector<T> result;
    for (const Json& element : value) result.push_back(to_integer<T>(key, element));
    return result;
  }
  void finish() const {
    for (const auto& [key, value] : json_.items())
      if (!taken_.contains(key)) complain("unknown key \"", key, "\"");
  }

 private:
  template <class T>
  T to_integer(const char* key, const Json& value) const {
    const bool fits = value.is_number_unsigned()
                          ? std::in_range<T>(value.get<std::uint64_t>())
                          : value.is_number_integer() && std::in_range<T>(value.get<std::int64_t>());
    if (!fits) complain("\"", key, "\" is ", value.dump(), ", expected an integer in range");
    return static_cast<T>(value.is_number_unsigned() ? value.get<std::uint64_t>()
                                                     : static_cast<std::uint64_t>(value.get<std::int64_t>()));
  }

  const Json& json_;
  std::string what_;
  std::set<std::string> taken_;
};

/// Reads the fields of one node in place.
struct NodeReader {
  const std::string& node;
  Object& object;
  const NamedTensors& arrays;
  std::set<std::string>& used;

  Tensor array(const char* key, std::initializer_list<DType> dtypes) {
    const std::string name = node + "." + key;
    const Tensor* found = arrays.find(name);
    if (!found) object.complain("array \"", name, "\" is missing");
    if (std::ranges::find(dtypes, found->dtype()) == dtypes.end())
      object.complain("array \"", name, "\" is ", found->dtype());
    used.insert(name);
    return *found;
  }
  template <class T>
  std::vector<T> vector(const char* key) {
    const Tensor tensor = array(key, {dtype_of<T>});
    if (tensor.rank() != 1)
      object.complain("array \"", node, ".", key, "\" has shape ", tensor.shape(), ", expected one axis");
    return {tensor.span<T>().begin(), tensor.span<T>().end()};
  }

  void operator()(const char* key, Tensor& tensor) { tensor = array(key, {DType::float32, DType::int32}); }
  void optional(const char* key, Tensor& tensor) {
    if (arrays.contains(node + "." + key)) tensor = array(key, {DType::float32});
  }
  void operator()(const char* key, std::vector<float>& values) { values = vector<float>(key); }
  void codes(const char* key, Tensor& tensor, const Grid&) {
    tensor = array(key, {DType::int8, DType::uint8, DType::int32}).to(DType::int32);
  }
  void weight_grid(const char* key, Grid& grid) {
    Object json(object.get(key), message("node \"", node, "\": ", key));
    grid.bits = json.integer<int>("bits");
    grid.lo = json.integer<std::int32_t>("lo");
    grid.hi = json.integer<std::int32_t>("hi");
    if (json.boolean("per_channel")) grid.channel_axis = -1;
    json.finish();
    grid.scale = vector<float>("scale");
    grid.zero_point = vector<std::int32_t>("zero_point");
  }
  void operator()(const char* key, Padding& padding) {
    const Json& value = object.get(key);
    if (value == "valid") {
      padding = Padding::valid();
    } else if (value == "same") {
      padding = Padding::same();
    } else {
      const std::vector<Index> sides = object.integers<Index>(key);
      if (sides.size() != 4) object.complain("\"", key, "\" has ", sides.size(), " numbers, expected 4");
      padding = Padding::explicit_(sides[0], sides[1], sides[2], sides[3]);
    }
  }
  void operator()(const char* key, std::string& text) { text = object.text(key); }
  void operator()(const char* key, ElementwiseFunction& function) {
    const std::string name = object.text(key);
    const std::optional<ElementwiseFunction> found = elementwise_function(name);
    if (!found) object.complain("\"", key, "\" is \"", name, "\", which is no elementwise function");
    function = *found;
  }
  void operator()(const char* key, bool& value) { value = object.boolean(key); }
  void operator()(const char* key, int& value) { value = object.integer<int>(key); }
  void operator()(const char* key, float& value) { value = object.number(key); }
  template <class T>
  void operator()(const char* key, T& first, T& second) {
    const std::vector<T> values = object.integers<T>(key);
    if (values.size() != 2) object.complain("\"", key, "\" has ", values.size(), " numbers, expected 2");
    first = values[0];
    second = values[1];
  }
  void unless_one(const char* key, Index& value) {
    if (object.has(key)) value = object.integer<Index>(key);
  }
  void unless_one(const char* key, Index& first, Index& second) {
    if (object.has(key)) (*this)(key, first, second);
  }
};

/// A default operation of the given name; std::variant is walked at compile time.
template <std::size_t I = 0>
std::optional<GraphOperation> make_operation(std::string_view name) {
  if constexpr (I < std::variant_size_v<GraphOperation>) {
    GraphOperation operation{std::in_place_index<I>};
    if (name_of(operation) == name) return operation;
    return make_operation<I + 1>(name);
  } else {
    return std::nullopt;
  }
}

class GraphReader {
 public:
  GraphReader(const Json& json, const std::string& what) : top_(json, what), what_(what) {}

  InferenceGraph read(const std::function<NamedTensors(const ArrayFile&)>& load_arrays) {
    check_header();
    Object file(top_.get("arrays"), what_ + ": arrays");
    const ArrayFile array_file{file.integer<std::size_t>("bytes"), file.text("crc32")};
    file.finish();
    const NamedTensors arrays = load_arrays(array_file);
    read_metadata();
    for (const Json& tensor : list("tensors")) read_tensor(tensor);
    std::set<std::string> used;
    for (const Json& node : list("nodes")) read_node(node, arrays, used);
    graph_.input = tensor(top_.text("input"), what_);
    graph_.output = tensor(top_.text("output"), what_);
    top_.finish();
    for (const auto& [name, array] : arrays)
      if (!used.contains(name)) top_.complain("array \"", name, "\" belongs to no node");
    return std::move(graph_);
  }

 private:
  void check_header() {
    const std::string format = top_.text("format");
    if (format != graph_format) top_.complain("\"format\" is \"", format, "\", expected \"", graph_format, "\"");
    const int version = top_.integer<int>("version");
    if (version != graph_version) top_.complain("version ", version, ", this bitgrad reads version ", graph_version);
    try {
      graph_.mode = requantization_mode(top_.text("requantization"));
    } catch (const ValueError& error) {
      top_.complain(error.what());
    }
  }
  const Json& list(const char* key) {
    const Json& value = top_.get(key);
    if (!value.is_array()) top_.complain("\"", key, "\" is no list");
    return value;
  }
  void read_metadata() {
    const Json& json = top_.get("metadata");
    if (json.is_null()) return;
    Object metadata(json, what_ + ": metadata");
    for (const auto& [key, value] : json.items()) graph_.metadata[key] = metadata.text(key.c_str());
  }
  int tensor(const std::string& name, const std::string& reader) const {
    const auto found = numbers_.find(name);
    if (found == numbers_.end()) fail<IoError>(reader, ": there is no tensor \"", name, "\"");
    return found->second;
  }

  void read_tensor(const Json& json) {
    Object object(json, message(what_, ": tensor ", graph_.tensors.size()));
    GraphTensor result;
    result.name = object.text("name");
    result.shape = Shape(object.integers<Index>("shape"));
    if (object.has("grid")) {
      Object grid(object.get("grid"), message(what_, ": tensor \"", result.name, "\": grid"));
      result.grid =
          Grid{grid.integer<int>("bits"), grid.integer<std::int32_t>("lo"),           grid.integer<std::int32_t>("hi"),
               {grid.number("scale")},    {grid.integer<std::int32_t>("zero_point")}, std::nullopt};
      grid.finish();
    }
    object.finish();
    numbers_.emplace(result.name, static_cast<int>(graph_.tensors.size()));
    graph_.tensors.push_back(std::move(result));
  }

  void read_node(const Json& json, const NamedTensors& arrays, std::set<std::string>& used) {
    Object unnamed(json, message(what_, ": node ", graph_.nodes.size()));
    GraphNode node;
    node.name = unnamed.text("name");
    const std::string what = message(what_, ": node \"", node.name, "\"");
    Object object(json, what);
    object.text("name");
    const std::string operation = object.text("operation");
    std::optional<GraphOperation> made = make_operation(operation);
    if (!made) object.complain("unknown operation \"", operation, "\"");
    node.operation = std::move(*made);
    const Json& inputs = object.get("inputs");
    if (!inputs.is_array()) object.complain("\"inputs\" is no list");
    for (const Json& input : inputs) {
      if (!input.is_string()) object.complain("\"inputs\" holds ", input.dump(), ", expected names of tensors");
      node.inputs.push_back(tensor(input.get<std::string>(), what));
    }
    node.output = tensor(object.text("output"), what);
    NodeReader reader{node.name, object, arrays, used};
    std::visit([&](auto& op) { fields(reader, op); }, node.operation);
    object.finish();
    graph_.nodes.push_back(std::move(node));
  }

  Object top_;
  std::string what_;
  InferenceGraph graph_;
  std::map<std::string, int> numbers_;
};

}  // namespace

InferenceGraph parse_graph(std::string_view json, const std::string& what,
                           const std::function<NamedTensors(const ArrayFile&)>& load_arrays) {
  const Json value = io::parse_strict_json<Json>(json, what, max_depth);
  return GraphReader(value, what).read(load_arrays);
}

}  // namespace bitgrad::inference
