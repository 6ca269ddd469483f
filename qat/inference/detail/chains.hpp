// Which recorded values become one integer operation.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include <bitgrad/qat/inference/detail/recorded.hpp>

namespace bitgrad::inference {

/// producer → batch_norm? → links → quantize. Nobody else reads what is in between.
struct Chain {
  int producer =
      -1;  ///< linear layer, addition, concatenation or average; for a table the value on a grid it starts from
  int batch_norm = -1;     ///< folded into a linear producer
  std::vector<int> links;  ///< clamps, data moves and, in tables, functions of single elements, in order of execution
  bool is_table = false;
};

/// Works out grids, readers and chains of all values that `output` depends on.
class Chains {
 public:
  Chains(const std::vector<RecordedValue>& values, int output);

  /// The grid of values that are codes as they stand: quantized ones, and those moved from them.
  const std::optional<Grid>& grid(int v) const { return grids_[static_cast<std::size_t>(v)]; }
  /// The chain that ends in a quantize, or nullptr: what it reads stays float32.
  const Chain* behind(int quantize) const;
  /// A linear layer that computes on codes but hands on float32, with the batch normalisation v where v is one.
  std::optional<Chain> float_fold(int v) const;
  /// False for values that nobody needs and for those inside a chain.
  bool emitted(int v) const { return live_[static_cast<std::size_t>(v)] && !absorbed_[static_cast<std::size_t>(v)]; }

  /// Max pooling, reshaping and repeating pixels, which commute with clamps and rounding.
  static bool is_move(const RecordedValue& value) {
    return value.as<MaxPool2DOp>() || value.as<ReshapeOp>() || value.as<Upsample2DOp>();
  }
  /// Operations that move data as well, but whose zeros a clamp or a function in front of them would not see.
  static bool brings_zeros(const RecordedValue& value) { return value.as<Pad2DOp>() || value.as<InsertZeros2DOp>(); }

 private:
  const RecordedValue& value(int v) const { return values_[static_cast<std::size_t>(v)]; }
  void count_readers(int output);
  void find_grids();
  bool has_one_reader(int v) const { return readers_[static_cast<std::size_t>(v)] == 1; }
  bool computes_on_codes(int v) const;
  std::optional<Chain> match(int quantize) const;
  /// A reshape by the linear layer itself that keeps its channels, as the one behind a one-dimensional convolution.
  bool belongs_to(int linear, int link) const;
  bool accepts(const Chain& chain) const;
  void absorb(int v) { absorbed_[static_cast<std::size_t>(v)] = 1; }

  const std::vector<RecordedValue>& values_;
  std::vector<std::optional<Grid>> grids_;
  std::vector<int> readers_;  ///< the graph's output counts as one more
  std::vector<char> live_, absorbed_;
  std::map<int, Chain> chains_;  ///< by quantize
  std::map<int, int> folds_;     ///< batch normalisation to its linear layer, without quantize behind it
};

}  // namespace bitgrad::inference
