// Straight-through gradients cannot be seen by finite differences of the real forward pass: rounding is flat almost
// everywhere. A gradient check therefore records, on the base pass, what every rounding added and which branch every
// clip took, and replays both in the perturbed passes, so that finite differences measure the declared surrogate.
// Operations with a rounding or a branch call these functions; outside a check they do nothing.
#pragma once

#include <functional>

#include <bitgrad/core/tensor.hpp>

namespace bitgrad::replay {

/// off: the default. record: the base pass. replay: a perturbed pass, which must call in the same order.
enum class Mode { off, record, replay };
Mode mode();

/// Residual of a straight-through operation whose surrogate is `slope * x` (1 for rounding, f for grad_scale). `y` is
/// what the forward pass computed from `x`. Recording remembers y - slope * x; replaying overwrites y with slope * x
/// plus that residual. The tensors are float64 during a check.
void residual(const Tensor& x, Tensor& y, double slope = 1.0);

/// Branches taken by an operation, int32. Recording remembers `branches`; replaying overwrites them with the remembered
/// ones, from which the caller then computes. Any shape, the same in every pass.
void branch(Tensor& branches);

/// Runs `f` recording, and hands back a function that runs its argument replaying that recording from the start. A
/// replayed pass that asks for more, fewer or other shapes than were recorded throws StateError.
std::function<void(const std::function<void()>&)> record(const std::function<void()>& f);

}  // namespace bitgrad::replay
