// Errors as values. `Status` says whether something worked; `Result<T, E>` carries a value or says why there is none.
//
//   Result<std::unique_ptr<File>> file = files.open(path, OpenMode::kRead);
//   if (!file) return file.error();
//   LARDER_TRY((*file)->sync());
//   LARDER_TRY_ASSIGN(const uint64_t size_bytes, (*file)->size());
//
// Cost: a Status is one pointer, null when all is well. A Result is a std::variant, so it stays trivially copyable when
// T and E are; with E = ErrorText (protocol/error_text.h) an error costs two words and no allocation. Rejected:
// exceptions (unbounded cost, invisible flow), std::expected (not in C++20), bare enums (no place for a path or an
// offset, which is what an operator needs).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/assert.h"
#include "base/bytes.h"

namespace larder {

enum class ErrorCode : uint8_t {
  kUnknown,
  kInvalidArgument,  // the caller's input breaks a rule
  kOutOfRange,
  kNotFound,
  kAlreadyExists,
  kPermission,
  kNoSpace,      // disk full or quota
  kIo,           // any other failure of the operating system
  kCorruption,   // stored bytes do not make sense
  kTruncated,    // stored or received bytes end too early
  kUnsupported,  // well formed, but of a kind or version not known here
  kBusy,         // locked or in use by somebody else
  kTimeout,
  kDisconnected,
  kResourceLimit,  // a named limit of ours was reached
  kCancelled,
};

// "not found", "no space" ...
Bytes error_code_name(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kUnknown;
  std::string message;

  // "no space: append to dump.rdb: ..." for logs.
  std::string to_string() const;
};

// The error for a value of the OS's errno. `what` names the operation and its object, e.g. "open dump.rdb".
Error os_error(int error_number, Bytes what);

class [[nodiscard]] Status {
 public:
  Status() = default;  // all is well
  Status(Error error) : error_(std::make_unique<Error>(std::move(error))) {}
  Status(ErrorCode code, std::string message) : Status(Error{code, std::move(message)}) {}

  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  Status(const Status& other) : error_(other.error_ ? std::make_unique<Error>(*other.error_) : nullptr) {}
  Status& operator=(const Status& other) {
    if (this != &other) error_ = other.error_ ? std::make_unique<Error>(*other.error_) : nullptr;
    return *this;
  }

  bool ok() const { return error_ == nullptr; }
  explicit operator bool() const { return ok(); }

  // Requires: !ok().
  const Error& error() const& {
    LARDER_ASSERT(!ok());
    return *error_;
  }
  Error&& error() && {
    LARDER_ASSERT(!ok());
    return std::move(*error_);
  }
  // Works for a good status too (kUnknown is never the code of a good one: ask ok() first).
  ErrorCode code() const { return error_ ? error_->code : ErrorCode::kUnknown; }
  Bytes message() const { return error_ ? Bytes(error_->message) : Bytes("ok"); }
  std::string to_string() const { return error_ ? error_->to_string() : std::string("ok"); }

 private:
  std::unique_ptr<Error> error_;
};

template <class T, class E = Error>
class [[nodiscard]] Result {
  static_assert(!std::is_reference_v<T> && !std::is_void_v<T>, "use a pointer, or Status when there is no value");

 public:
  using Value = T;

  template <class U = T>
  requires(std::is_constructible_v<T, U&&> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
           !std::is_same_v<std::remove_cvref_t<U>, E> && !std::is_same_v<std::remove_cvref_t<U>, Status> &&
           std::is_convertible_v<U&&, T>) constexpr Result(U&& value)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}

  constexpr Result(E error) : state_(std::in_place_index<1>, std::move(error)) {}

  // Requires: !status.ok().
  Result(Status status) requires std::is_same_v<E, Error> : state_(std::in_place_index<1>, std::move(status).error()) {}

  constexpr bool ok() const { return state_.index() == 0; }
  constexpr explicit operator bool() const { return ok(); }

  // Requires: ok().
  constexpr T& operator*() & {
    LARDER_ASSERT(ok());
    return *std::get_if<0>(&state_);
  }
  constexpr const T& operator*() const& {
    LARDER_ASSERT(ok());
    return *std::get_if<0>(&state_);
  }
  constexpr T&& operator*() && {
    LARDER_ASSERT(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  constexpr auto operator->() {
    if constexpr (std::is_pointer_v<T>) {
      return **this;  // a Result of a pointer reads through to what the pointer names
    } else {
      return &**this;
    }
  }
  constexpr auto operator->() const {
    if constexpr (std::is_pointer_v<T>) {
      return **this;
    } else {
      return &**this;
    }
  }
  constexpr T& value() & { return **this; }
  constexpr const T& value() const& { return **this; }
  constexpr T&& value() && { return *std::move(*this); }
  constexpr T value_or(T fallback) const& { return ok() ? **this : std::move(fallback); }

  // Requires: !ok().
  constexpr const E& error() const& {
    LARDER_ASSERT(!ok());
    return *std::get_if<1>(&state_);
  }
  constexpr E&& error() && {
    LARDER_ASSERT(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

  Status status() const requires std::is_same_v<E, Error> { return ok() ? Status() : Status(error()); }

 private:
  std::variant<T, E> state_;
};

}  // namespace larder

// Returns from the enclosing function when `expression` (a Status, or a Result whose value is not wanted) holds an
// error.
#define LARDER_TRY(expression)                                                       \
  do {                                                                               \
    if (auto larder_try_result = (expression); !larder_try_result.ok()) [[unlikely]] \
      return std::move(larder_try_result).error();                                   \
  } while (false)

#define LARDER_CONCAT_INNER(a, b) a##b
#define LARDER_CONCAT(a, b) LARDER_CONCAT_INNER(a, b)
#define LARDER_TRY_ASSIGN_INNER(holder, declaration, expression) \
  auto holder = (expression);                                    \
  if (!holder.ok()) [[unlikely]]                                 \
    return std::move(holder).error();                            \
  declaration = *std::move(holder)

// Declares or assigns `declaration` from the value of a Result, or returns its error from the enclosing function.
#define LARDER_TRY_ASSIGN(declaration, expression) \
  LARDER_TRY_ASSIGN_INNER(LARDER_CONCAT(larder_try_, __LINE__), declaration, expression)
