// Exceptions of bitgrad. A message names the object, the value found and what was expected.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace bitgrad {

/// Base of everything bitgrad throws on purpose.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Shapes, ranks or dtypes that do not fit together.
class ShapeError : public Error {
 public:
  using Error::Error;
};

/// A parameter outside its legal range, an unknown name, a NaN where a number is required.
class ValueError : public Error {
 public:
  using Error::Error;
};

/// A call at the wrong time: backward without a tape, a layer that is not built.
class StateError : public Error {
 public:
  using Error::Error;
};

/// A file that is missing, truncated, malformed or cannot be written.
class IoError : public Error {
 public:
  using Error::Error;
};

/// Something bitgrad does not do (yet); the message says what.
class NotImplementedError : public Error {
 public:
  using Error::Error;
};

/// A broken promise inside bitgrad itself; the message carries file and line.
class InternalError : public Error {
 public:
  using Error::Error;
};

/// The arguments streamed one after the other: `message("bits is ", 17)` is "bits is 17".
template <class... Parts>
std::string message(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// Throws `E` with the streamed arguments as its text.
template <class E, class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw E(message(parts...));
}

}  // namespace bitgrad

/// Checks an invariant of bitgrad itself (not of its user's input).
#define BITGRAD_ASSERT(condition)                                                            \
  do {                                                                                       \
    if (!(condition))                                                                        \
      ::bitgrad::fail<::bitgrad::InternalError>(__FILE__, ":", __LINE__, ": ", #condition,   \
                                                " does not hold; this is a bug in bitgrad"); \
  } while (false)
