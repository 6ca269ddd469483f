// The contract of a frozen quantizer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/tensor.hpp>
#include <bitgrad/quantizers/grid.hpp>
#include <bitgrad/quantizers/mark.hpp>
#include <bitgrad/quantizers/property.hpp>

namespace bitgrad {

/// A small immutable value: floats to floats on the grid, floats to codes, codes to floats. It never changes its input.
class BaseInferableQuantizer {
 public:
  virtual ~BaseInferableQuantizer() = default;

  /// The class name: "WeightsSymmetricInferableQuantizer".
  virtual std::string_view type() const = 0;
  /// The mark of its class.
  virtual const QuantizerMark& marks() const = 0;
  /// Bits of a code, 1 to 16; of a look-up table, the logarithm of the number of levels that it may have.
  virtual int bits() const = 0;

  /// Fake quantization of a float32 tensor, in the arithmetic of the reference system (quantizers/README.md): on a grid
  /// x is multiplied by the float32 reciprocal of the scale where codes() divides, so that the two may differ within an
  /// ulp of a tie. NaN stays NaN. ShapeError when a channel axis or count does not fit, or for another dtype.
  virtual Tensor operator()(const Tensor& x) const = 0;
  /// int32 codes by the grid (true division); ValueError for NaN, ShapeError likewise.
  virtual Tensor codes(const Tensor& x) const { return codes_of(x, grid(), type()); }
  /// float32 values of int32 codes; ShapeError likewise.
  virtual Tensor dequantize(const Tensor& codes) const { return values_of(codes, grid()); }
  /// The integer grid that the codes are on. Quantizers without one (activations by a look-up table) throw
  /// NotImplementedError.
  virtual Grid grid() const = 0;
  /// The table of a look-up-table quantizer, whose codes are its entries; nothing for evenly spaced levels.
  virtual std::optional<LookupTable> table() const { return std::nullopt; }

  /// One line: class, bits, parameters.
  virtual std::string describe() const = 0;
  /// JSON object with "class" and the constructor's parameters. inferable_from_json() and the class's own from_json()
  /// read it back to the same bits; what is wrong there is a ValueError naming class and parameter.
  virtual std::string to_json() const = 0;
  virtual std::unique_ptr<BaseInferableQuantizer> clone() const = 0;
  /// The properties that check_quantizer() (conformance.hpp) must not expect of it.
  virtual std::vector<Departure> departures() const { return {}; }
};

using InferablePtr = std::unique_ptr<BaseInferableQuantizer>;

/// Reads what to_json() wrote; ValueError naming the class and parameter that is wrong.
InferablePtr inferable_from_json(std::string_view json);

}  // namespace bitgrad
