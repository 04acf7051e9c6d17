// The general parser behind the fast path: any split, every limit, every error.
//
// A RESP request is read item by item: the count line, then for each argument its length line and its bytes. `State`
// says which item comes next and where it starts, so a later call goes on there. A line without its end yet is not
// searched again from its start (`line_scanned`), and the bytes of a long bulk string are never looked at before they
// are all there.
#include "protocol/request_parser.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "base/number_text.h"

namespace larder {

namespace {

// Offsets count from the first byte of the unfinished request.
struct Slice {
  uint64_t offset;
  uint64_t size;
};

// Any number of them, none of which is moved behind the first kRunMax: a vector of millions is copied for 10 ms when it grows.
class SliceList {
 public:
  void push_back(Slice slice) {
    if (last_.size() == kRunMax) full_.push_back(std::exchange(last_, {}));
    last_.push_back(slice);
  }
  size_t size() const { return full_.size() * kRunMax + last_.size(); }
  size_t memory_bytes() const {
    return full_.capacity() * sizeof(Run) + (full_.size() * kRunMax + last_.capacity()) * sizeof(Slice);
  }
  template <class Visit>
  void for_each(Visit visit) const {
    for (const Run& run : full_) std::for_each(run.begin(), run.end(), visit);
    std::for_each(last_.begin(), last_.end(), visit);
  }

 private:
  using Run = std::vector<Slice>;
  static constexpr size_t kRunMax = 4096;  // of 64 KiB, a power of two: the capacity that a full one has

  std::vector<Run> full_;
  Run last_;
};

}  // namespace

struct ParseProgress::State {
  static constexpr int64_t kNoCount = -1;
  static constexpr int64_t kNoBulk = -1;

  SliceList slices;              // complete arguments; grows with what arrived
  uint64_t parsed_bytes = 0;     // everything before is done
  uint64_t line_scanned = 0;     // bytes behind parsed_bytes known to hold no end of line
  int64_t args_left = kNoCount;  // kNoCount: the count line is not complete yet
  int64_t bulk_bytes = kNoBulk;  // kNoBulk: the next argument's length line is not complete yet
};

ParseProgress::ParseProgress() = default;
ParseProgress::~ParseProgress() = default;
ParseProgress::ParseProgress(ParseProgress&&) noexcept = default;
ParseProgress& ParseProgress::operator=(ParseProgress&&) noexcept = default;

void ParseProgress::clear() { state_.reset(); }

size_t ParseProgress::memory_bytes() const { return state_ ? sizeof(State) + state_->slices.memory_bytes() : 0; }

ParseProgress::State& ParseProgress::start() {
  if (!state_) state_ = std::make_unique<State>();
  return *state_;
}

namespace {
constexpr uint32_t kViewsMin = 64;
constexpr uint32_t kViewsKeptMax = 64 * 1024;  // 1 MB: a busy tick of 16 connections at pipeline 1000 and 4 arguments
constexpr size_t kTextKeptMax = 64 * 1024;
}  // namespace

void RequestArgs::clear() {
  size_ = 0;
  if (capacity_ > kViewsKeptMax) [[unlikely]] {
    std::free(views_);
    views_ = nullptr;
    capacity_ = 0;
  }
  if (text_.capacity() > 0) text_.reset(kTextKeptMax);
}

void RequestArgs::grow(size_t n) {
  const size_t needed = size_ + n;
  LARDER_ASSERT(needed <= std::numeric_limits<uint32_t>::max() / 2);
  const size_t capacity = std::max({needed, size_t{capacity_} * 2, size_t{kViewsMin}});
  views_ = static_cast<Bytes*>(std::realloc(static_cast<void*>(views_), capacity * sizeof(Bytes)));
  LARDER_ASSERT(views_ != nullptr);
  capacity_ = static_cast<uint32_t>(capacity);
}

std::string protocol_error_text(const ParseResult& result) {
  switch (result.error) {
    case ProtocolError::kNone:
      return "";
    case ProtocolError::kInvalidMultibulkLength:
      return "Protocol error: invalid multibulk length";
    case ProtocolError::kUnauthenticatedMultibulkLength:
      return "Protocol error: unauthenticated multibulk length";
    case ProtocolError::kInvalidBulkLength:
      return "Protocol error: invalid bulk length";
    case ProtocolError::kUnauthenticatedBulkLength:
      return "Protocol error: unauthenticated bulk length";
    case ProtocolError::kExpectedDollar: {
      std::string text = "Protocol error: expected '$', got '";
      text.push_back(result.unexpected);
      text.push_back('\'');
      return text;
    }
    case ProtocolError::kTooBigInlineRequest:
      return "Protocol error: too big inline request";
    case ProtocolError::kTooBigMultibulkCount:
      return "Protocol error: too big mbulk count string";
    case ProtocolError::kTooBigBulkCount:
      return "Protocol error: too big bulk count string";
    case ProtocolError::kUnbalancedQuotes:
      return "Protocol error: unbalanced quotes in request";
  }
  LARDER_UNREACHABLE();
}

namespace {

using State = ParseProgress::State;

enum class Step : uint8_t { kDone, kIncomplete, kEmpty, kError };

// One pass over one request. Works on a State of its own on the stack, which becomes the connection's only if the
// request turns out to be incomplete.
class SlowParser {
 public:
  SlowParser(Bytes input, const RequestLimits& limits, State& state, RequestArgs& args)
      : input_(input), limits_(limits), state_(state), args_(args) {}

  Step run() { return input_[0] == '*' ? run_multibulk() : run_inline(); }

  ProtocolError error() const { return error_; }
  char unexpected() const { return unexpected_; }
  size_t needed_bytes() const { return needed_bytes_; }
  size_t consumed() const { return state_.parsed_bytes; }

 private:
  Step fail(ProtocolError error) {
    error_ = error;
    return Step::kError;
  }
  Step wait_for(size_t bytes) {
    needed_bytes_ = std::max(bytes, input_.size() + 1);
    return Step::kIncomplete;
  }

  // Finds the line at parsed_bytes, up to but without its '\r', which must have one more byte behind it. (That byte is
  // taken for the
  // '\n' without a look, as Redis does.) Within the first inline_bytes_max bytes there must be an end, else `too_big`.
  Step find_line(ProtocolError too_big, Bytes* line) {
    const Bytes rest = input_.substr(state_.parsed_bytes);
    const size_t searched = std::min(rest.size(), limits_.inline_bytes_max + 1);
    const size_t end = rest.substr(0, searched).find('\r', state_.line_scanned);
    if (end == Bytes::npos) {
      if (searched > limits_.inline_bytes_max) return fail(too_big);
      state_.line_scanned = searched;
      return wait_for(0);
    }
    state_.line_scanned = end;
    if (end + 1 >= rest.size()) return wait_for(0);
    *line = rest.substr(0, end);
    return Step::kDone;
  }
  void finish_line(Bytes line) {
    state_.parsed_bytes += line.size() + 2;
    state_.line_scanned = 0;
  }

  Step read_count();
  Step read_bulk_length();
  Step run_multibulk();
  Step run_inline();

  const Bytes input_;
  const RequestLimits& limits_;
  State& state_;
  RequestArgs& args_;
  ProtocolError error_ = ProtocolError::kNone;
  char unexpected_ = 0;
  size_t needed_bytes_ = 0;
};

Step SlowParser::read_count() {
  Bytes line;
  if (const Step step = find_line(ProtocolError::kTooBigMultibulkCount, &line); step != Step::kDone) return step;
  const auto count = parse_int64(line.substr(1));
  if (!count || *count > limits_.argument_count_max) return fail(ProtocolError::kInvalidMultibulkLength);
  if (!limits_.authenticated && *count > RequestLimits::kUnauthenticatedArgumentCountMax) {
    return fail(ProtocolError::kUnauthenticatedMultibulkLength);
  }
  finish_line(line);
  if (*count <= 0) return Step::kEmpty;
  state_.args_left = *count;
  return Step::kDone;
}

Step SlowParser::read_bulk_length() {
  Bytes line;
  if (const Step step = find_line(ProtocolError::kTooBigBulkCount, &line); step != Step::kDone) return step;
  const char type = input_[state_.parsed_bytes];
  if (type != '$') {
    unexpected_ = type;
    return fail(ProtocolError::kExpectedDollar);
  }
  const auto bulk_bytes = parse_int64(line.substr(1));
  if (!bulk_bytes || *bulk_bytes < 0 || *bulk_bytes > limits_.bulk_bytes_max)
    return fail(ProtocolError::kInvalidBulkLength);
  if (!limits_.authenticated && *bulk_bytes > RequestLimits::kUnauthenticatedBulkBytesMax) {
    return fail(ProtocolError::kUnauthenticatedBulkLength);
  }
  finish_line(line);
  state_.bulk_bytes = *bulk_bytes;
  return Step::kDone;
}

Step SlowParser::run_multibulk() {
  if (state_.args_left == State::kNoCount) {
    if (const Step step = read_count(); step != Step::kDone) return step;
  }
  while (state_.args_left > 0) {
    if (state_.bulk_bytes == State::kNoBulk) {
      if (const Step step = read_bulk_length(); step != Step::kDone) return step;
    }
    const auto bulk_bytes = static_cast<uint64_t>(state_.bulk_bytes);
    const uint64_t bulk_end = state_.parsed_bytes + bulk_bytes + 2;
    if (bulk_end > input_.size()) return wait_for(bulk_end);
    state_.slices.push_back({state_.parsed_bytes, bulk_bytes});
    state_.parsed_bytes = bulk_end;
    state_.bulk_bytes = State::kNoBulk;
    state_.args_left--;
  }
  Bytes* views = args_.reserve(state_.slices.size());
  state_.slices.for_each([&](const Slice& slice) { *views++ = input_.substr(slice.offset, slice.size); });
  args_.commit(state_.slices.size());
  return Step::kDone;
}

Step SlowParser::run_inline() {
  const size_t searched = std::min(input_.size(), limits_.inline_bytes_max + 1);
  const size_t end = input_.substr(0, searched).find('\n', state_.line_scanned);
  if (end == Bytes::npos) {
    if (searched > limits_.inline_bytes_max) return fail(ProtocolError::kTooBigInlineRequest);
    state_.line_scanned = searched;
    return wait_for(0);
  }
  Bytes line = input_.substr(0, end);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  const uint32_t args_before = args_.size();
  if (!split_quoted_words(line, args_)) return fail(ProtocolError::kUnbalancedQuotes);
  state_.parsed_bytes = end + 1;
  return args_.size() == args_before ? Step::kEmpty : Step::kDone;
}

}  // namespace

ParseResult internal::parse_request_slow(Bytes input, const RequestLimits& limits, ParseProgress& progress,
                                         RequestArgs& args) {
  ParseResult result;
  result.first_arg = args.size();
  State local;
  State* state = progress.active() ? progress.state() : &local;
  for (;;) {
    const Bytes rest = input.substr(result.consumed);
    if (rest.empty()) {
      progress.clear();
      result.needed_bytes = 1;
      return result;
    }
    SlowParser parser(rest, limits, *state, args);
    switch (parser.run()) {
      case Step::kEmpty:
        result.consumed += parser.consumed();
        *state = State();
        continue;
      case Step::kDone:
        result.outcome = ParseOutcome::kRequest;
        result.arg_count = args.size() - result.first_arg;
        result.consumed += parser.consumed();
        progress.clear();
        return result;
      case Step::kIncomplete:
        result.needed_bytes = parser.needed_bytes();
        if (!progress.active()) progress.start() = std::move(local);
        return result;
      case Step::kError:
        result.outcome = ParseOutcome::kError;
        result.error = parser.error();
        result.unexpected = parser.unexpected();
        progress.clear();
        return result;
    }
  }
}

namespace {

constexpr bool is_quote(char c) { return c == '"' || c == '\''; }

// The byte that a backslash escape stands for. `at` is at the backslash, which has at least one byte behind it, and
// moves behind the escape.
char unescape(Bytes line, size_t* at) {
  if (line[*at + 1] == 'x' && *at + 3 < line.size()) {
    const int high = hex_value(line[*at + 2]);
    const int low = hex_value(line[*at + 3]);
    if (high >= 0 && low >= 0) {
      *at += 4;
      return static_cast<char>(high * 16 + low);
    }
  }
  const char c = line[*at + 1];
  *at += 2;
  switch (c) {
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'b':
      return '\b';
    case 'a':
      return '\a';
    default:
      return c;
  }
}

// Copies the quoted part whose opening quote is at `*at` to `*out` and moves both behind it. False when it is not
// closed, or not closed at the end of a word.
bool copy_quoted(Bytes line, size_t* at, char** out) {
  const char quote = line[(*at)++];
  while (*at < line.size()) {
    const char c = line[*at];
    if (c == quote) {
      ++*at;
      return *at == line.size() || is_space(line[*at]);
    }
    const bool has_next = *at + 1 < line.size();
    if (c == '\\' && has_next && quote == '"') {
      *(*out)++ = unescape(line, at);
    } else if (c == '\\' && has_next && line[*at + 1] == '\'') {
      *(*out)++ = '\'';
      *at += 2;
    } else {
      *(*out)++ = c;
      ++*at;
    }
  }
  return false;
}

// A word with a quote in it: the one case that cannot be a view. Unquoting never lengthens.
bool take_quoted_word(Bytes line, size_t* at, Arena& text, Bytes* word) {
  char* const start = text.allocate(line.size() - *at);
  char* out = start;
  while (*at < line.size() && !is_space(line[*at])) {
    if (is_quote(line[*at])) {
      if (!copy_quoted(line, at, &out)) return false;
    } else {
      *out++ = line[(*at)++];
    }
  }
  text.trim_to(out);
  *word = Bytes(start, static_cast<size_t>(out - start));
  return true;
}

}  // namespace

bool split_quoted_words(Bytes line, RequestArgs& args) {
  const uint32_t args_before = args.size();
  size_t at = 0;
  for (;;) {
    while (at < line.size() && is_space(line[at])) at++;
    if (at == line.size()) return true;
    Bytes word;
    size_t end = at;
    while (end < line.size() && !is_space(line[end]) && !is_quote(line[end])) end++;
    if (end == line.size() || is_space(line[end])) {
      word = line.substr(at, end - at);
      at = end;
    } else if (!take_quoted_word(line, &at, args.text(), &word)) {
      args.truncate(args_before);
      return false;
    }
    *args.reserve(1) = word;
    args.commit(1);
  }
}

}  // namespace larder
