#include <bitgrad/qat/export/detail/c_text.hpp>

#include <algorithm>
#include <cctype>

#include <bitgrad/core/error.hpp>
#include <bitgrad/qat/export/detail/c_runtime.hpp>

namespace bitgrad::c {
namespace {

constexpr std::size_t columns = 116;

bool is_letter(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::string literal(std::uint8_t value) { return std::to_string(value); }
std::string literal(std::int32_t value) { return std::to_string(value); }
std::string literal(std::uint32_t value) { return hexadecimal(value); }

/// Adds the names of the header's own functions, types and macros that occur in a text.
void collect_names(std::string_view text, std::set<std::string, std::less<>>& names) {
  for (std::size_t at = text.find("@_"); at != text.npos; at = text.find("@_", at + 1)) {
    std::size_t end = at + 1;
    while (end < text.size() && is_letter(text[end])) ++end;
    names.emplace(text.substr(at, end - at));
  }
}

}  // namespace

bool is_identifier(std::string_view name) {
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
         std::ranges::all_of(name, is_letter);
}

std::string hexadecimal(std::uint32_t value) {
  std::ostringstream out;
  out << "0x" << std::hex << std::uppercase << value << 'u';
  return out.str();
}

std::string replace_all(std::string_view text, std::string_view what, std::string_view with) {
  std::string result;
  for (std::size_t at = text.find(what); at != text.npos; at = text.find(what)) {
    result += text.substr(0, at);
    result += with;
    text.remove_prefix(at + what.size());
  }
  return result + std::string(text);
}

Text::Text() {
  for (const std::string_view piece : {rounding,
                                       real_numbers,
                                       floor_shift,
                                       fixed_point_twice,
                                       fixed_point_once,
                                       kernel_weights,
                                       window_sum,
                                       group_sum,
                                       addition,
                                       addition_xnnpack,
                                       average_pool,
                                       global_sum,
                                       global_average_pool,
                                       global_average_pool_xnnpack,
                                       max_pool,
                                       pad,
                                       table,
                                       concat,
                                       argmax_of_codes,
                                       argmax_of_floats,
                                       self_test})
    collect_names(piece, symbols_);
  for (const std::string& piece : {layer(true), addition_tflite(multiply_twice), average_pool_by_count(multiply_twice),
                                   global_average_pool_fixed_point(multiply_twice)})
    collect_names(piece, symbols_);
  for (int bits = 1; bits <= 8; ++bits) {
    for (const std::string& piece : {weight_of(bits), dense_sum(bits)}) collect_names(piece, symbols_);
    for (const Results results : {Results::codes, Results::floats})  // names are alike for both kinds of codes
      for (const std::string& piece :
           {convolve(bits, "window", results), convolve(bits, "group", results), dense(bits, results)})
        collect_names(piece, symbols_);
  }
  collect_names("@_H @_INPUT_SIZE @_KERNEL_SIZE @_ARENA_BYTES @_arena @_run", symbols_);
}

std::string Text::symbol(std::string_view name) {
  std::string stem = "@_";
  for (const char c : name) stem += is_letter(c) ? c : '_';
  std::string result = stem;
  for (int i = 2; !symbols_.insert(result).second; ++i) result = message(stem, "_", i);
  return result;
}

template <class T>
std::string array_text(const char* type, std::string_view symbol, const std::vector<T>& values) {
  std::string result = message("static const ", type, ' ', symbol, '[', values.size(), "] = {"), line;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string text = literal(values[i]) + (i + 1 < values.size() ? "," : "");
    if (line.size() + text.size() + 1 > columns) {
      result += "\n  " + line;
      line.clear();
    }
    line += (line.empty() ? "" : " ") + text;
  }
  return result + "\n  " + line + "\n};\n";
}

template std::string array_text(const char*, std::string_view, const std::vector<std::uint8_t>&);
template std::string array_text(const char*, std::string_view, const std::vector<std::int32_t>&);
template std::string array_text(const char*, std::string_view, const std::vector<std::uint32_t>&);

template <class T>
std::string Text::array(const char* type, std::string_view name, const std::vector<T>& values) {
  const std::string result = symbol(name);
  data_ << array_text(type, result, values);
  return result;
}

template std::string Text::array(const char*, std::string_view, const std::vector<std::int8_t>&);
template std::string Text::array(const char*, std::string_view, const std::vector<std::uint8_t>&);
template std::string Text::array(const char*, std::string_view, const std::vector<std::int32_t>&);
template std::string Text::array(const char*, std::string_view, const std::vector<std::uint32_t>&);

std::string Text::constant(const char* type, std::string_view name, std::string_view fields) {
  const std::string result = symbol(name);
  data_ << "static const " << type << ' ' << result << " = {\n  " << fields << "\n};\n";
  return result;
}

void Text::need(std::string_view piece) {
  if (pieces_.emplace(piece).second) functions_ += piece;
}

void Text::comment(std::string_view text) { body_ << "  /* " << replace_all(text, "*/", "* /") << " */\n"; }

}  // namespace bitgrad::c
