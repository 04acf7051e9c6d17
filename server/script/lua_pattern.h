#pragma once

// Patterns of Lua 5.1: ".", "%a", "[set]", "*", "+", "-", "?", "(captures)", "%b()", "%f[set]", "%1", "^", "$".
//
// A matcher of our own, because Lua's can neither be interrupted (a pattern of ten characters can take hours on a text of
// forty) nor keeps its stack bounded. This one asks the runtime every few thousand steps and nests at most kNestingMax deep.
// A pattern ends at its first zero byte, as a text of C does ("%z" stands for one). Errors are raised in the state, in Lua's
// words.

#include <lua.hpp>

#include "base/bytes.h"
#include "server/script/lua_runtime.h"

namespace larder {

class LuaPattern {
 public:
  static constexpr int kCapturesMax = 32;
  static constexpr int kNestingMax = 200;

  // What a '^' at the pattern's beginning is: for gmatch a character like others.
  enum class Caret { kAnchor, kPlain };
  // The views outlive the object.
  LuaPattern(lua_State* state, Bytes text, Bytes pattern, Caret caret = Caret::kAnchor);

  bool is_anchored() const { return is_anchored_; }
  // Tries to match at this offset of the text. Returns the end of the match, or kNpos.
  size_t match_at(size_t offset);
  static constexpr size_t kNpos = Bytes::npos;

  // Pushes the captures of the last match, or the whole match when the pattern has none; returns how many.
  int push_captures(size_t begin, size_t end);
  // Pushes one of them; `index` counts from 0.
  void push_capture(int index, size_t begin, size_t end);
  int capture_count() const { return count_; }

 private:
  using At = const char*;
  static constexpr ptrdiff_t kOpen = -1;
  static constexpr ptrdiff_t kPosition = -2;
  struct Capture {
    At begin;
    ptrdiff_t size;  // or kOpen, kPosition
  };

  At match(At text, At pattern);
  At match_here(At text, At pattern);
  At match_quantified(At text, At pattern, At item_end);
  At match_balanced(At text, At pattern);
  At match_longest(At text, At item, At item_end);
  At match_shortest(At text, At item, At item_end);
  At match_frontier(At text, At pattern, At& next);
  At match_back_reference(At text, char digit);
  At open_capture(At text, At pattern, ptrdiff_t size);
  At close_capture(At text, At pattern);
  bool matches_one(At text, At item, At item_end) const;
  At end_of_item(At item);
  At end_of_set(At set);
  static bool matches_class(unsigned char c, char letter);
  static bool matches_set(unsigned char c, At set, At set_end);

  lua_State* state_;
  LuaRuntime& runtime_;
  At begin_;
  At end_;
  At pattern_;
  At pattern_end_;
  bool is_anchored_;
  int nesting_ = 0;
  int count_ = 0;
  Capture captures_[kCapturesMax];
};

}  // namespace larder
