// Messages of what operations refuse.
#pragma once

#include <autograd/support.hpp>

namespace bitgrad::testing {

/// Fails unless `f` throws E with a message that contains all of `parts`.
template <class E, class F>
void check_refused(const std::vector<std::string>& parts, F f) {
  const std::string text = error_of<E>(f);
  for (const std::string& part : parts) CHECK_THAT(text, Catch::Contains(part));
}

}  // namespace bitgrad::testing
