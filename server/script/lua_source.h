#pragma once

// A script's text on its way to the compiler, so that LuaJIT takes what Lua 5.1 takes.
//
// The two read some texts differently: in 5.1 an unknown escape stands for its character ("\-", "\/", "\x41" is "x41"), 1i,
// 1LL and 0b1 are no numbers, "1e5.5" is two tokens, a zero byte behind digits is part of the number, names have only ASCII letters, and a first line with a '#' is no comment.
// The compiler cannot be told, but it reads through a callback: one walk over the text knows comments, strings, long brackets
// and numbers, and hands out the text as it lies, in spans that leave out or separate what would be read differently. Nothing
// is copied, lines stay what they are, and a text without such places comes as it is.
//
// What 5.1 refuses and the compiler would not is replaced by something that the compiler refuses in the same place, and the text
// ends there: errors that come before it are found first, as in 5.1. mended_error() then names what really stood there.
//
// A function with "..." has a local table `arg` of what "..." stands for in 5.1. Where a text names `arg` anywhere, each such
// function gets one; in 5.1 only those that do not use "..." themselves do, for the others it is nil.
//
// Left as LuaJIT has it: `goto` and labels, which no script of 5.1 can contain.

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"

namespace larder {

// Plain values only: an error of Lua may leave the function where one lives.
class LuaSource {
 public:
  // The text outlives the source.
  explicit LuaSource(Bytes text);

  // The next span for the compiler, at most about `bytes_max` long; empty at the end.
  Bytes next_piece(size_t bytes_max);

  // A compiler's message in three parts that follow each other, in the words of Lua 5.1.
  struct Message {
    Bytes place;
    Bytes middle;
    Bytes rest;
  };
  Message mended_error(Bytes message) const;

 private:
  enum class Inside : uint8_t { kCode, kLineComment, kShortString, kLongBracket };
  static constexpr size_t kNowhere = SIZE_MAX;

  Bytes next_span(size_t bytes_max);
  // Where in the head of a function the walk is: behind the word, inside of its parentheses, behind "..." there.
  enum class Head : uint8_t { kNone, kName, kParameters, kDots };

  // Each moves at_ by a token or a part of one, and may cut.
  void walk_code();
  void walk_word();
  void walk_dots();
  void walk_symbol();
  void walk_number();
  void walk_short_string(size_t end);
  bool opens_long_bracket();
  void walk_long_bracket(size_t end);
  // The span ends at at_; then comes `inserted`, and the text goes on at `resume`.
  void cut(Bytes inserted, size_t resume);
  // The text ends here: the compiler sees `marker`, people see `shown`.
  void stop(Bytes marker, Bytes shown);

  Bytes text_;
  size_t at_ = 0;
  Inside inside_ = Inside::kCode;
  Head head_ = Head::kNone;
  bool names_arg_;
  char quote_ = '\0';
  size_t bracket_level_ = 0;
  size_t cut_ = kNowhere;
  Bytes inserted_;        // comes next
  Bytes stopped_marker_;  // empty: nothing was refused so far
  Bytes stopped_shown_;
};

}  // namespace larder
