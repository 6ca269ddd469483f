// Operations of users: a forward and a backward written on tensors.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include <bitgrad/autograd/tape.hpp>

namespace bitgrad {

/// What a custom operation's backward pass may read.
struct CustomOpContext {
  std::vector<Tensor> inputs;
  Tensor output;
  Tensor output_gradient;
};

using CustomForward = std::function<Tensor(const std::vector<Tensor>& inputs)>;
/// Returns one gradient per input, of that input's shape and dtype; an undefined Tensor stands for zeros.
using CustomBackward = std::function<std::vector<Tensor>(const CustomOpContext& context)>;

/// An operation of your own, e.g. a hand-written quantizer. It must not modify its inputs. Where it rounds or branches,
/// write forward with operations on Variables (`ste_round(Variable(inputs[0]))`): they are not recorded, and gradient
/// checks see through them; or call replay::residual() and replay::branch() yourself (autograd/replay.hpp). Throws
/// ShapeError naming the operation when backward returns a wrong number of gradients or one of a wrong shape,
/// ValueError when forward returns an undefined tensor.
Variable custom_op(std::string_view name, const std::vector<Variable>& inputs, const CustomForward& forward,
                   CustomBackward backward);

}  // namespace bitgrad
