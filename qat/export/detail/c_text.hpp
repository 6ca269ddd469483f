// The parts of a C header that is being written.
#pragma once

#include <cstdint>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <bitgrad/core/shape.hpp>

namespace bitgrad::c {

/// True for a name that C and C++ take.
bool is_identifier(std::string_view name);
/// 0x3F800000u
std::string hexadecimal(std::uint32_t value);
std::string replace_all(std::string_view text, std::string_view what, std::string_view with);

/// Functions, data and statements, in which @ stands for the header's prefix.
class Text {
 public:
  Text();

  /// A name for data of a layer, "@_conv1_codes": nothing else in the header has it.
  std::string symbol(std::string_view name);
  /// An array `static const TYPE SYMBOL[]` among the data; gives its symbol.
  template <class T>
  std::string array(const char* type, std::string_view name, const std::vector<T>& values);
  /// A definition among the data: `static const TYPE SYMBOL = { FIELDS };` gives its symbol.
  std::string constant(const char* type, std::string_view name, std::string_view fields);
  /// Functions of c_runtime.hpp, once each and in this order.
  void need(std::string_view piece);
  void call(std::string_view statement) { body_ << "  " << statement << ";\n"; }
  void comment(std::string_view text);

  const std::string& functions() const { return functions_; }
  std::string data() const { return data_.str(); }
  std::string body() const { return body_.str(); }

 private:
  std::set<std::string, std::less<>> symbols_;
  std::set<std::string, std::less<>> pieces_;
  std::string functions_;
  std::ostringstream data_, body_;
};

/// `static const TYPE SYMBOL[] = {...};`, in lines of the usual width.
template <class T>
std::string array_text(const char* type, std::string_view symbol, const std::vector<T>& values);

}  // namespace bitgrad::c
