#pragma once
// The vocabulary of failure that every layer shares: an Error is a code for the caller to branch on and a text for a
// person to read; a Result is a value or an Error.
#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>

namespace progtc {

struct Error {
  boost::system::error_code code;  // what a caller branches on
  std::string context;             // what a person reads, outermost step first
};

// Called by boost::system::result when value() is taken from a failed result: always a bug of the caller.
[[noreturn]] inline void throw_exception_from_error(const Error& error, const boost::source_location&) {
  throw boost::system::system_error(error.code, error.context);
}

// A type of its own, because an alias of boost::system::result is not [[nodiscard]] in Boost 1.81.
template <typename T>
struct [[nodiscard]] Result : boost::system::result<T, Error> {
  using boost::system::result<T, Error>::result;
};

// Takes the saved errno `err` and what was being attempted; the text ends in strerror's words.
inline Error from_errno(int err, std::string_view attempted) {
  const boost::system::error_code code(err, boost::system::system_category());
  return Error{code, std::string(attempted) + ": " + code.message()};
}

// Puts one outer step in front of what is already said: "prepare rootfs: openat 'lib': No such file or directory".
inline Error with_context(std::string_view step, Error error) {
  error.context = std::string(step) + ": " + error.context;
  return error;
}

}  // namespace progtc

#define PROGTC_CONCAT_INNER(a, b) a##b
#define PROGTC_CONCAT(a, b) PROGTC_CONCAT_INNER(a, b)

// PROGTC_TRY(declaration, expression): binds the value, or returns the error from the enclosing function.
// Not for coroutines, which write the two lines out.
#define PROGTC_TRY(declaration, ...)                                                                         \
  auto PROGTC_CONCAT(progtc_try_, __LINE__) = (__VA_ARGS__);                                                 \
  if (!PROGTC_CONCAT(progtc_try_, __LINE__)) return std::move(PROGTC_CONCAT(progtc_try_, __LINE__)).error(); \
  declaration = std::move(*PROGTC_CONCAT(progtc_try_, __LINE__))

// The same for a Result<void>.
#define PROGTC_CHECK(...)                                      \
  do {                                                         \
    auto progtc_check = (__VA_ARGS__);                         \
    if (!progtc_check) return std::move(progtc_check).error(); \
  } while (false)
