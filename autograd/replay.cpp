#include <bitgrad/autograd/replay.hpp>

#include <memory>
#include <vector>

namespace bitgrad::replay {
namespace {

/// The recorded residuals and branches in order of the calls.
using Recording = std::vector<Tensor>;

struct State {
  Mode mode = Mode::off;
  Recording* recording = nullptr;
  std::size_t next = 0;
};

thread_local State state;

/// Sets the state for one pass and restores the one before.
struct Pass {
  Pass(Mode mode, Recording* recording) : before(state) { state = {mode, recording, 0}; }
  ~Pass() { state = before; }
  State before;
};

const Tensor& next_recorded(const Tensor& like, const char* what) {
  if (state.next >= state.recording->size())
    fail<StateError>("replay: the perturbed pass makes more calls than the ", state.recording->size(),
                     " recorded ones, at a ", what);
  const Tensor& recorded = (*state.recording)[state.next++];
  if (recorded.shape() != like.shape() || recorded.dtype() != like.dtype())
    fail<StateError>("replay: ", what, " of shape ", like.shape(), " was recorded with shape ", recorded.shape());
  return recorded;
}

}  // namespace

Mode mode() { return state.mode; }

void residual(const Tensor& x, Tensor& y, double slope) {
  if (state.mode == Mode::off) return;
  const auto source = x.span<double>();
  const auto result = y.span<double>();
  if (state.mode == Mode::record) {
    Tensor recorded(y.shape(), DType::float64);
    const auto remembered = recorded.span<double>();
    for (std::size_t i = 0; i < source.size(); ++i) remembered[i] = result[i] - slope * source[i];
    state.recording->push_back(recorded);
  } else {
    const auto remembered = next_recorded(y, "residual").span<double>();
    for (std::size_t i = 0; i < source.size(); ++i) result[i] = slope * source[i] + remembered[i];
  }
}

void branch(Tensor& branches) {
  if (state.mode == Mode::record)
    state.recording->push_back(branches.clone());
  else if (state.mode == Mode::replay)
    branches.copy_from(next_recorded(branches, "branch"));
}

std::function<void(const std::function<void()>&)> record(const std::function<void()>& f) {
  auto recording = std::make_shared<Recording>();
  {
    const Pass pass(Mode::record, recording.get());
    f();
  }
  return [recording](const std::function<void()>& perturbed) {
    const Pass pass(Mode::replay, recording.get());
    perturbed();
    if (state.next != recording->size())
      fail<StateError>("replay: the perturbed pass makes ", state.next, " calls, ", recording->size(),
                       " were recorded");
  };
}

}  // namespace bitgrad::replay
