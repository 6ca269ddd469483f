#include <bitgrad/core/kernels/epilogue.hpp>

#include <optional>

#include <bitgrad/core/kernels/batch_norm_parts.hpp>
#include <bitgrad/core/kernels/code_table.hpp>
#include <bitgrad/core/kernels/elementwise.hpp>

namespace bitgrad::kernels {
namespace {

/// The normalization's parameters as wide rows.
struct NormalizationRows {
  NormalizationRows(Index channels, const EpilogueNormalization& n)
      : factor_(normalization_factors(channels, n.variance, n.epsilon, n.gamma)),
        mean(channels, n.mean),
        factor(channels, factor_.data()),
        beta(channels, n.beta) {}

 private:
  std::vector<float> factor_;

 public:
  WideRow<float> mean, factor, beta;
};

/// The steps as the loops take them. Without normalization channels do not matter: all elements are one column.
class Plan {
 public:
  explicit Plan(const EpilogueSteps& steps)
      : rows_(steps.normalization ? steps.rows : steps.rows * steps.channels),
        channels_(steps.normalization ? steps.channels : 1) {
    if (steps.normalization) normalization_.emplace(steps.channels, *steps.normalization);
    loop_.width = wide_row(channels_);
    loop_.mean = normalization_ ? normalization_->mean.data() : nullptr;
    loop_.factor = normalization_ ? normalization_->factor.data() : nullptr;
    loop_.beta = normalization_ ? normalization_->beta.data() : nullptr;
    loop_.clamp = steps.clamp;
    loop_.on_grid = steps.grid != nullptr;
    if (!steps.grid) return;
    const LevelGrid<float>& grid = *steps.grid;
    check_levels("fake_quantize", grid.lo, grid.hi);
    const float zero_point = grid.zero_point ? *grid.zero_point : 0;
    loop_.scale = *grid.scale;
    loop_.has_offset = grid.offset != nullptr;
    loop_.offset = grid.offset ? *grid.offset : 0;
    loop_.lo = centered_bound(grid.lo, zero_point);
    loop_.hi = centered_bound(grid.hi, zero_point);
  }

  Index rows() const { return rows_; }
  Index channels() const { return channels_; }
  /// For `count` elements from x on, which begin in that column of the wide row.
  Epilogue piece(const float* x, Index count, Index column) const {
    Epilogue result = loop_;
    result.n = count;
    result.x = x;
    if (!result.mean) return result;
    result.mean += column;
    result.factor += column;
    result.beta += column;
    return result;
  }

 private:
  Index rows_, channels_;
  std::optional<NormalizationRows> normalization_;
  Epilogue loop_{};
};

}  // namespace

void epilogue(const EpilogueSteps& steps, const float* x, float* y) {
  const Plan plan(steps);
  parallel_rows(plan.rows(), plan.channels(), [&](Index begin, Index count, Index column) {
    const Epilogue piece = plan.piece(x + begin, count, column);
    table().epilogue(&piece, y + begin);
  });
}

FakeQuantizeSums epilogue_gradient(const EpilogueSteps& steps, const float* x, const float* dy,
                                   const EpilogueGradients& gradients) {
  const Plan plan(steps);
  const Index size = steps.rows * steps.channels;
  const bool in_place = gradients.dx && gradients.store == Store::overwrite;
  const Scratch<float> scratch(in_place ? 0 : size);
  float* dv = in_place ? gradients.dx : scratch.data();  // what arrives behind the normalization
  const bool outside =
      steps.grid && steps.mode != StraightThrough::unmasked && (steps.grid->offset || steps.grid->zero_point);
  enum { scale, offset, sum, product, count_of_sums };
  const auto sums = sum_wide_rows<count_of_sums>(
      plan.rows(), plan.channels(), [&](Index begin, Index count, Index width, double* partial) {
        const EpilogueGradient piece{.forward = plan.piece(x + begin, count, 0),
                                     .dy = dy + begin,
                                     .dv = dv + begin,
                                     .masked = steps.mode != StraightThrough::unmasked,
                                     .by_value = steps.mode == StraightThrough::value_masked,
                                     .scale_sums = partial + scale * width,
                                     .offset_sums = outside ? partial + offset * width : nullptr,
                                     .sums = partial + sum * width,
                                     .products = partial + product * width};
        table().epilogue_gradient(&piece);
      });

  const Index width = wide_row(plan.channels());
  const auto folded = [&](int which, Index channels) {
    return fold_wide_row(width, channels, sums.data() + which * width);
  };
  if (steps.normalization) {
    const EpilogueNormalization& n = *steps.normalization;
    const NormalizationGradient<float> normalization{
        steps.rows, steps.channels, x,       n.mean,
        n.variance, n.epsilon,      n.gamma, {folded(sum, steps.channels), folded(product, steps.channels)}};
    normalization.add_parameters(gradients.dgamma, gradients.dbeta);
    if (gradients.dx) normalization.input(dv, gradients.store, gradients.dx);
  } else if (gradients.dx && !in_place) {
    add(size, gradients.dx, dv, gradients.dx);
  }
  if (!steps.grid) return {};
  return {folded(scale, 1), folded(offset, 1)};
}

}  // namespace bitgrad::kernels
