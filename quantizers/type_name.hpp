// The name of a class, for messages and the registry.
#pragma once

#include <string>
#include <string_view>

namespace bitgrad {

/// "mine::MyQuantizer"; classes of bitgrad come without their namespace.
template <class T>
std::string type_name() {
  const std::string_view function =
      __PRETTY_FUNCTION__;  // "... [with T = mine::MyQuantizer; ...]" or "... [T = mine::MyQuantizer]"
  const std::size_t begin = function.find("T = ") + 4;
  std::string_view name = function.substr(begin, function.find_first_of(";]", begin) - begin);
  if (name.starts_with("bitgrad::")) name.remove_prefix(9);
  return std::string(name);
}

}  // namespace bitgrad
