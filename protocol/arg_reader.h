// Typed reading of a command's arguments. The first error is latched and later calls return default values, so a
// handler reads everything in one go and checks once:
//
//   const auto [key, offset, value] = args.take<Key, int64_t, Bytes>();
//   if (!args.done(ctx.reply())) return;
//
// Nothing is copied: views live as long as the request. Cost: a bound check and, for numbers, their parsing.
#pragma once

#include <cstdint>
#include <span>
#include <tuple>
#include <type_traits>

#include "base/bytes.h"
#include "protocol/arg_types.h"
#include "protocol/error_text.h"
#include "protocol/reply_writer.h"

namespace larder {

class ArgReader {
 public:
  // `args` are the arguments behind the command's name (and behind the subcommand's, if there is one).
  explicit ArgReader(std::span<const Bytes> args) : next_(args.data()), end_(args.data() + args.size()) {}

  // Takes one argument per type, left to right: the value itself for one type, a tuple for several. A missing argument
  // latches kSyntax. Types: see protocol/arg_types.h.
  template <class... Ts>
  auto take() {
    static_assert(sizeof...(Ts) > 0);
    if constexpr (sizeof...(Ts) == 1) {
      return take_one<Ts...>();
    } else {
      return std::tuple<Ts...>{take_one<Ts>()...};  // braces: evaluated left to right
    }
  }

  // An integer in [min, max]. A text that is no integer latches kNotInteger, one out of the bounds latches `error`;
  // with one error for both, give it twice.
  int64_t take_int(int64_t min, int64_t max, ErrorText error = kNotInteger, ErrorText not_integer = kNotInteger);

  // Consumes the next argument when it equals `upper` in any case. `upper` is given in upper case.
  bool take_word(Bytes upper);
  // The next argument, not consumed. Empty when there is none.
  Bytes peek() const { return next_ == end_ ? Bytes() : *next_; }
  void skip(size_t count = 1) {
    LARDER_ASSERT(count <= remaining());
    next_ += count;
  }
  size_t remaining() const { return static_cast<size_t>(end_ - next_); }
  bool at_end() const { return next_ == end_; }
  // Consumes all that is left (nothing once an error is latched).
  std::span<const Bytes> rest() {
    if (error_) return {};
    const std::span<const Bytes> all{next_, end_};
    next_ = end_;
    return all;
  }
  // Consumes `count` arguments, or latches kSyntax when there are fewer.
  std::span<const Bytes> take_many(size_t count) {
    if (error_) return {};
    if (count > remaining()) {
      fail(kSyntax);
      return {};
    }
    const std::span<const Bytes> taken{next_, count};
    next_ += count;
    return taken;
  }

  // Latches an error found by the handler, if it is the first.
  void fail(ErrorText error) {
    if (!error_) error_ = error;
  }
  bool ok() const { return !error_; }
  ErrorText error() const { return error_; }

  // Ends reading. True: no error and nothing left over. False: the error (kSyntax for left-over arguments) has been
  // written to `reply`.
  [[nodiscard]] bool done(ReplyWriter& reply) {
    if (!error_ && at_end()) [[likely]]
      return true;
    reply.error(error_ ? error_ : kSyntax);
    return false;
  }

 private:
  template <class T>
  T take_one() {
    T value{};
    if (error_) return value;
    if (next_ == end_) [[unlikely]] {
      error_ = kSyntax;
      return value;
    }
    error_ = ArgType<T>::parse(*next_++, &value);
    return value;
  }

  const Bytes* next_;
  const Bytes* end_;
  ErrorText error_;
};

}  // namespace larder
