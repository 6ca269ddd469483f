// The bridge to xtensor: write maths as in NumPy, keep tensors. The only header of bitgrad that includes xtensor, and
// not part of <bitgrad/bitgrad.hpp>: who includes it needs xtensor's headers.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xnoalias.hpp>
#include <xtensor/xoperation.hpp>

#include <bitgrad/core/tensor.hpp>

namespace bitgrad {

/// The elements of a tensor as an xtensor array of the same shape, row-major, with a rank known at run time. No copy:
/// the view shares the elements and keeps them alive, as a copy of the Tensor does. Throws ShapeError when the tensor
/// is undefined or T is not its dtype.
///
/// To write through a view, use `xt::noalias(view) = expression` or assign_xt(). A plain `view = expression` first
/// evaluates into a temporary, and takes over the expression's shape where the number of elements is the same. Other
/// traps of xtensor: expressions are lazy, so `auto y = a + b;` is evaluated anew at every use (call xt::eval), and
/// float sums are accumulated in float (ask for xt::sum<double>).
template <class T>
auto as_xt(Tensor& tensor);
template <class T>
auto as_xt(Tensor&& tensor);
template <class T>
auto as_xt(const Tensor& tensor);  ///< elements are const

/// A new tensor with the value of an xtensor expression: of dtype T, or when T is not given of the dtype of the
/// expression's elements (bool becomes uint8). Elements of other types (int64, size_t) do not compile without a T.
/// Throws ShapeError for more than Shape::max_rank axes.
template <class T = void, class E>
Tensor from_xt(const xt::xexpression<E>& expression);

/// Evaluates an expression into an existing tensor, which keeps its buffer, shape and dtype. The expression may read
/// the tensor at the same element, but not at others (as with xt::noalias). Throws ShapeError unless the shapes are
/// equal.
template <class E>
void assign_xt(Tensor& tensor, const xt::xexpression<E>& expression);

namespace detail {

template <class Pointer>
auto adapt_elements(Pointer elements, const Tensor& owner) {
  const auto extents = owner.shape().extents();
  // The adaptor holds a handle on the tensor.
  return xt::adapt_smart_ptr(elements, std::vector<std::size_t>(extents.begin(), extents.end()),
                             std::make_shared<const Tensor>(owner));
}

template <class T>
inline constexpr bool is_element =
    std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, std::int8_t> ||
    std::is_same_v<T, std::uint8_t> || std::is_same_v<T, std::int32_t>;

/// T, or the element type that stands for Value when T is void.
template <class T, class Value>
using Element =
    std::conditional_t<!std::is_void_v<T>, T, std::conditional_t<std::is_same_v<Value, bool>, std::uint8_t, Value>>;

template <class E>
Shape shape_of_xt(const E& expression) {
  std::vector<Index> extents;
  for (const auto extent : expression.shape()) extents.push_back(static_cast<Index>(extent));
  return Shape(extents);
}

}  // namespace detail

template <class T>
auto as_xt(Tensor& tensor) {
  return detail::adapt_elements(tensor.data<T>(), tensor);
}
template <class T>
auto as_xt(Tensor&& tensor) {
  return as_xt<T>(tensor);
}
template <class T>
auto as_xt(const Tensor& tensor) {
  return detail::adapt_elements(tensor.data<T>(), tensor);
}

template <class E>
void assign_xt(Tensor& tensor, const xt::xexpression<E>& expression) {
  const E& source = expression.derived_cast();
  const Shape shape = detail::shape_of_xt(source);
  if (!tensor.defined() || shape != tensor.shape())
    fail<ShapeError>("assign_xt: the expression has shape ", shape, ", the tensor ", tensor.shape());
  dispatch_any(tensor.dtype(), [&](auto zero) {
    using T = decltype(zero);
    auto view = as_xt<T>(tensor);
    xt::noalias(view) = xt::cast<T>(source);
  });
}

template <class T, class E>
Tensor from_xt(const xt::xexpression<E>& expression) {
  using Target = detail::Element<T, typename E::value_type>;
  static_assert(
      detail::is_element<Target>,
      "a Tensor holds float, double, int8, uint8 or int32: name one of them, as in from_xt<float>(expression)");
  const E& source = expression.derived_cast();
  Tensor result(detail::shape_of_xt(source), dtype_of<Target>);
  auto view = as_xt<Target>(result);
  xt::noalias(view) = xt::cast<Target>(source);
  return result;
}

}  // namespace bitgrad
