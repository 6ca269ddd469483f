#include <bitgrad/autograd/operations/pending.hpp>

#include <bitgrad/autograd/operations/activations.hpp>
#include <bitgrad/autograd/operations/detail/epilogue.hpp>

namespace bitgrad {

using kernels::Clamp;

Variable Pending::value() const {
  if (nothing_to_do()) return source_;
  const Tape::ScopeAt scope(scope_);
  return normalization_ && dtype() == DType::float32 ? detail::epilogue(name(), *this, nullptr) : definition();
}

Variable Pending::definition() const {
  Variable y = source_;
  if (normalization_) {
    const auto& [statistics, gamma, beta, epsilon] = *normalization_;
    y = bitgrad::batch_norm(y, statistics, gamma, beta, epsilon);
  }
  if (clamp_ == Clamp::relu) return bitgrad::relu(y);
  return clamp_ == Clamp::relu6 ? bitgrad::relu6(y) : y;
}

Pending Pending::batch_norm(BatchStatistics statistics, Variable gamma, Variable beta, double epsilon) const {
  Pending result(value());
  detail::check_normalization(result.source_, gamma, beta, epsilon);
  result.normalization_ = Normalization{std::move(statistics), std::move(gamma), std::move(beta), epsilon};
  result.scope_ = Tape::Scope::path();
  return result;
}

Pending Pending::clamped(Clamp clamp) const {
  Pending result = clamp_ == Clamp::none ? *this : Pending(value());
  result.clamp_ = clamp;
  result.scope_ = Tape::Scope::path();
  return result;
}

std::string Pending::name() const {
  std::string result = normalization_ ? "batch_norm" : "";
  if (clamp_ != Clamp::none) result += message(result.empty() ? "" : "+", clamp_ == Clamp::relu ? "relu" : "relu6");
  return result;
}

}  // namespace bitgrad
