// The fields of every operation as they stand in graph.json and graph.npz, once for writer and reader.
#pragma once

#include <bitgrad/qat/inference/graph.hpp>

namespace bitgrad::inference {

// `io` is a writer or a reader; io(key, fields...) writes them, or reads them in place. Tensors and vectors go to the
// arrays.

template <class IO>
void fields(IO& io, IntegerWeights& weights) {
  io.weight_grid("grid", weights.grid);
  io.codes("codes", weights.codes, weights.grid);
  io("bias", weights.bias);
  io("multiplier", weights.multiplier);
  io("clamp", weights.clamp_lo, weights.clamp_hi);
}
/// Dilation and groups stand there only where they are not 1.
template <class IO>
void fields(IO& io, Conv2DArguments& window) {
  io("stride", window.stride.h, window.stride.w);
  io("padding", window.padding);
  io.unless_one("dilation", window.dilation.h, window.dilation.w);
  io.unless_one("groups", window.groups);
}
template <class IO>
void fields(IO& io, IntegerConv2D& op) {
  fields(io, op.window);
  fields(io, op.weights);
}
template <class IO>
void fields(IO& io, IntegerDense& op) {
  fields(io, op.weights);
}
template <class IO>
void fields(IO& io, IntegerAdd& op) {
  io("clamp", op.clamp_lo, op.clamp_hi);
}
template <class IO>
void fields(IO& io, IntegerConcat& op) {
  io("axis", op.axis);
  io("clamp", op.clamp_lo, op.clamp_hi);
}
template <class IO, class Pool>
void pool_fields(IO& io, Pool& op) {
  io("window", op.window.h, op.window.w);
  io("stride", op.stride.h, op.stride.w);
  io("padding", op.padding);
}
template <class IO>
void fields(IO& io, IntegerAveragePool2D& op) {
  pool_fields(io, op);
  io("clamp", op.clamp_lo, op.clamp_hi);
}
template <class IO>
void fields(IO& io, IntegerGlobalAveragePool2D& op) {
  io("clamp", op.clamp_lo, op.clamp_hi);
}
template <class IO>
void fields(IO& io, IntegerTable& op) {
  io("function", op.function);
  io("codes", op.codes);
}
template <class IO>
void fields(IO& io, MaxPool2DOp& op) {
  pool_fields(io, op);
}
template <class IO>
void fields(IO& io, Pad2DOp& op) {
  io("padding", op.padding);
}
template <class IO>
void fields(IO& io, InsertZeros2DOp& op) {
  io("stride", op.stride.h, op.stride.w);
}
template <class IO, class Op>
requires(std::is_same_v<Op, Upsample2DOp> || std::is_same_v<Op, FloatUpsample2D>) void fields(IO& io, Op& op) {
  io("factor", op.factor.h, op.factor.w);
}
template <class IO, class Op>
requires(std::is_same_v<Op, WhereOp> || std::is_same_v<Op, FloatWhere>) void fields(IO& io, Op& op) {
  io("mask", op.mask);
}
template <class IO>
void fields(IO& io, FloatConv2D& op) {
  fields(io, op.window);
  io("kernel", op.kernel);
  io.optional("bias", op.bias);
}
template <class IO>
void fields(IO& io, FloatDense& op) {
  io("kernel", op.kernel);
  io.optional("bias", op.bias);
}
template <class IO>
void fields(IO& io, FloatBatchNorm& op) {
  io("gain", op.gain);
  io("offset", op.offset);
}
template <class IO>
void fields(IO& io, FloatNormalize& op) {
  io("mean", op.mean);
  io("deviation", op.deviation);
}
template <class IO>
void fields(IO& io, FloatLayerNorm& op) {
  io("gamma", op.gamma);
  io("beta", op.beta);
  io("epsilon", op.epsilon);
}
template <class IO>
void fields(IO& io, FloatAveragePool2D& op) {
  pool_fields(io, op);
}
template <class IO>
void fields(IO& io, FloatClamp& op) {
  io("low", op.low);
  io("high", op.high);
}
template <class IO>
void fields(IO& io, FloatElementwise& op) {
  io("function", op.function);
  if (op.function == ElementwiseFunction::leaky_relu) io("slope", op.slope);
  if (op.function == ElementwiseFunction::pow) io("exponent", op.exponent);
}
template <class IO>
void fields(IO& io, FloatSoftmax& op) {
  io("logarithm", op.logarithm);
}
template <class IO>
void fields(IO& io, FloatConcat& op) {
  io("axis", op.axis);
}
// QuantizeOp, DequantizeOp, ReshapeOp, FloatAdd and FloatGlobalAveragePool2D have none.
template <class IO, class Op>
requires(std::is_empty_v<Op>) void fields(IO&, Op&) {}

}  // namespace bitgrad::inference
