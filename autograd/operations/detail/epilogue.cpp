#include <bitgrad/autograd/operations/detail/epilogue.hpp>

#include <bitgrad/autograd/operations/detail/loop_grid.hpp>
#include <bitgrad/core/kernels/epilogue.hpp>

namespace bitgrad::detail {
namespace {

/// The steps as the kernel wants them, with everything they point to.
class Steps {
 public:
  Steps(const Pending& x, const LearnedGrid* grid)
      : channels_(x.normalization() ? x.shape()[-1] : 1),
        rows_(x.source().value().size() / channels_),
        clamp_(x.clamp()) {
    if (const auto& n = x.normalization()) {
      statistics_ = n->statistics;
      gamma_ = n->gamma.value();
      beta_ = n->beta.value();
      normalization_ = {statistics_.mean.data<float>(), statistics_.variance.data<float>(),
                        static_cast<float>(n->epsilon), gamma_.data<float>(), beta_.data<float>()};
    }
    if (grid) grid_.emplace(*grid);
  }

  /// Calls f(steps).
  template <class F>
  auto with(F&& f) const {
    const kernels::LevelGrid<float> view = grid_ ? grid_->view() : kernels::LevelGrid<float>{};
    return f(kernels::EpilogueSteps{.rows = rows_,
                                    .channels = channels_,
                                    .normalization = normalization_ ? &*normalization_ : nullptr,
                                    .clamp = clamp_,
                                    .grid = grid_ ? &view : nullptr,
                                    .mode = grid_ ? grid_->mode : kernels::StraightThrough::masked});
  }
  const std::optional<LoopGrid>& grid() const { return grid_; }

 private:
  Index channels_, rows_;
  kernels::Clamp clamp_;
  BatchStatistics statistics_;
  Tensor gamma_, beta_;
  std::optional<kernels::EpilogueNormalization> normalization_;
  std::optional<LoopGrid> grid_;
};

}  // namespace

Variable epilogue(std::string_view name, const Pending& x, const LearnedGrid* grid) {
  const Steps steps(x, grid);
  const Tensor source = x.source().value();
  Tensor y(source.shape());
  steps.with([&](const auto& s) { kernels::epilogue(s, source.data<float>(), y.data<float>()); });

  std::vector<Variable> inputs{x.source()};
  for (const Variable& parameter : grid_inputs(grid ? *grid : LearnedGrid{})) inputs.push_back(parameter);
  if (x.normalization()) inputs.insert(inputs.end(), {x.normalization()->gamma, x.normalization()->beta});
  const bool normalizes = x.normalization().has_value();
  return record_operation(name, std::move(y), inputs, [=](const Tensor& dy, GradSink& sink) {
    GradTarget dx = sink.wants(0) ? sink.target(0) : GradTarget{};
    const auto wanted = [&](std::size_t i) {
      return normalizes && sink.wants(i) ? sink.buffer(i).data<float>() : nullptr;
    };
    const kernels::EpilogueGradients gradients{.dx = sink.wants(0) ? dx.gradient.data<float>() : nullptr,
                                               .store = dx.store,
                                               .dgamma = wanted(4),
                                               .dbeta = wanted(5)};
    const auto sums = steps.with([&](const auto& s) {
      return kernels::epilogue_gradient(s, source.data<float>(), dy.data<float>(), gradients);
    });
    if (steps.grid()) add_grid_gradients(*steps.grid(), sums, sink);
  });
}

}  // namespace bitgrad::detail
