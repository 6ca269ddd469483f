// The parts of reading a manifest.
#pragma once

#include <filesystem>

#include <bitgrad/quantizers/golden/detail/node.hpp>
#include <bitgrad/quantizers/golden/manifest.hpp>

namespace bitgrad::golden::detail {

/// The arrays beside the manifest.
class Arrays {
 public:
  Arrays(std::filesystem::path directory, ReadArray read) : directory_(std::move(directory)), read_(std::move(read)) {}

  /// float32 of any shape. IoError naming the file and where the manifest mentions it; ValueError for a name that leads
  /// out of the directory.
  Tensor read(const Node& file) const;
  /// The same; IoError as well unless it has the shape.
  Tensor read(const Node& file, const Shape& shape) const;

 private:
  std::filesystem::path directory_;
  ReadArray read_;
};

QuantizationTarget target_of(const Node& entry);
QuantizationMethod method_of(const Node& entry);
/// The identifier of the reference's training method: "mct-ste" for "STE".
std::string identifier_of(const Node& entry);
/// The member as numbers, or none when it is absent.
std::vector<double> numbers_at(const Node& object, std::string_view key);
/// Constructor arguments with "class" in front, as JSON. `class_name` is a string.
std::string with_class(const Node& class_name, const Node& arguments);
/// `entry` has method, n_bits, quantization_params and whatever of the other fields.
TrainableSpec read_spec(const Node& entry, const std::string& class_name, bool weights);
GoldenConversion read_conversion(const Node& entry);

InferableCase read_inferable(const Node& entry, const Arrays& arrays);
TrainableCase read_trainable(const Node& entry, const Arrays& arrays);
EndToEndCase read_end_to_end(const Node& entry, const Arrays& arrays);

}  // namespace bitgrad::golden::detail
