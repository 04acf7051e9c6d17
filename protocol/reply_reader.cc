#include "protocol/reply_reader.h"

#include <algorithm>
#include <utility>

#include "base/number_text.h"

namespace larder {

namespace {

constexpr size_t kElementsReservedMax = 1024;  // a claimed count reserves no more than this before elements arrive

ReplyKind aggregate_kind(char type) {
  switch (type) {
    case '%':
      return ReplyKind::kMap;
    case '~':
      return ReplyKind::kSet;
    case '>':
      return ReplyKind::kPush;
    default:
      return ReplyKind::kArray;
  }
}

}  // namespace

ReplyReader::ReplyReader(ReplyLimits limits) : limits_(limits) {}
ReplyReader::~ReplyReader() = default;
ReplyReader::ReplyReader(ReplyReader&&) noexcept = default;
ReplyReader& ReplyReader::operator=(ReplyReader&&) noexcept = default;

void ReplyReader::reset() {
  const ReplyLimits limits = limits_;
  *this = ReplyReader(limits);
}

ReplyReader::Step ReplyReader::fail(Bytes text) {
  failed_ = true;
  error_.assign(text);
  return Step::kError;
}

ReplyOutcome ReplyReader::next(Reply* reply) {
  if (failed_) return ReplyOutcome::kError;
  for (;;) {
    Reply item;
    switch (read_item(&item)) {
      case Step::kItem:
        if (!place_item(&item)) continue;
        *reply = std::move(item);
        return ReplyOutcome::kReply;
      case Step::kOpened:
        continue;
      case Step::kIncomplete:
        return ReplyOutcome::kIncomplete;
      case Step::kError:
        return ReplyOutcome::kError;
    }
  }
}

// Puts a complete item where it belongs, closing every aggregate that it completes. True when *item has become a whole
// reply.
bool ReplyReader::place_item(Reply* item) {
  while (!open_.empty()) {
    Open& parent = open_.back();
    parent.reply.elements.push_back(std::move(*item));
    if (--parent.elements_left > 0) return false;
    Open closed = std::move(parent);
    open_.pop_back();
    if (closed.is_attribute) {
      pending_attributes_ = std::move(closed.reply.attributes);
      for (Reply& element : closed.reply.elements) pending_attributes_.push_back(std::move(element));
      return false;  // attributes are no item themselves: they wait for theirs
    }
    *item = std::move(closed.reply);
  }
  return true;
}

// Reads one item: a whole simple one, or the header of an aggregate.
ReplyReader::Step ReplyReader::read_item(Reply* item) {
  const Bytes input = input_.bytes();
  const size_t searched = std::min(input.size(), limits_.line_bytes_max);
  const size_t line_feed = input.substr(0, searched).find('\n', line_scanned_);
  if (line_feed == Bytes::npos) {
    if (input.size() > limits_.line_bytes_max) return fail("line too long");
    line_scanned_ = input.size();
    return Step::kIncomplete;
  }
  line_scanned_ = line_feed;
  if (line_feed == 0 || input[line_feed - 1] != '\r') return fail("line feed without carriage return");
  const size_t line_end = line_feed - 1;
  if (line_end == 0) return fail("empty line");
  const char type = input[0];
  const Bytes line = input.substr(1, line_end - 1);
  switch (type) {
    case '$':
    case '=':
    case '!':
      return read_text(type, line, item);
    case '*':
    case '%':
    case '~':
    case '>':
    case '|':
      return open_aggregate(type, line, item);
    default:
      return read_line_item(type, line, item);
  }
}

ReplyReader::Step ReplyReader::read_line_item(char type, Bytes line, Reply* item) {
  switch (type) {
    case '+':
    case '-':
    case '(':
      item->kind = type == '+' ? ReplyKind::kSimple : type == '-' ? ReplyKind::kError : ReplyKind::kBigNumber;
      item->text.assign(line);
      break;
    case ':': {
      const auto value = parse_int64(line);
      if (!value) return fail("invalid integer");
      item->kind = ReplyKind::kInteger;
      item->integer = *value;
      break;
    }
    case ',': {
      const auto value = parse_double(line, NanText::kAccept);
      if (!value) return fail("invalid double");
      item->kind = ReplyKind::kDouble;
      item->number = *value;
      item->text.assign(line);
      break;
    }
    case '#':
      if (line != "t" && line != "f") return fail("invalid boolean");
      item->kind = ReplyKind::kBoolean;
      item->integer = line == "t" ? 1 : 0;
      break;
    case '_':
      if (!line.empty()) return fail("invalid null");
      break;
    default:
      return fail("unknown reply type");
  }
  item->attributes = std::exchange(pending_attributes_, {});
  input_.consume_front(1 + line.size() + 2);
  line_scanned_ = 0;
  return Step::kItem;
}

ReplyReader::Step ReplyReader::read_text(char type, Bytes line, Reply* item) {
  const auto length = parse_int64(line);
  const size_t header_bytes = 1 + line.size() + 2;
  if (!length) return fail("invalid length");
  if (*length < 0) {
    if (*length != -1 || type != '$') return fail("invalid length");
  } else {
    const auto text_bytes = static_cast<uint64_t>(*length);
    if (text_bytes > limits_.text_bytes_max) return fail("text too long");
    const Bytes rest = input_.bytes().substr(header_bytes);
    if (rest.size() < text_bytes + 2) return Step::kIncomplete;
    if (rest.substr(text_bytes, 2) != "\r\n") return fail("text without its line end");
    Bytes text = rest.substr(0, text_bytes);
    item->kind = type == '$' ? ReplyKind::kBulk : type == '!' ? ReplyKind::kError : ReplyKind::kVerbatim;
    if (type == '=') {
      if (text.size() < 4 || text[3] != ':') return fail("invalid verbatim text");
      item->verbatim_format.assign(text.substr(0, 3));
      text.remove_prefix(4);
    }
    item->text.assign(text);
    input_.consume_front(text_bytes + 2);
  }
  item->attributes = std::exchange(pending_attributes_, {});
  input_.consume_front(header_bytes);
  line_scanned_ = 0;
  return Step::kItem;
}

ReplyReader::Step ReplyReader::open_aggregate(char type, Bytes line, Reply* item) {
  const auto count = parse_int64(line);
  const size_t header_bytes = 1 + line.size() + 2;
  if (!count || *count < -1 || (*count == -1 && type != '*')) return fail("invalid element count");
  if (*count > 0 && static_cast<uint64_t>(*count) > limits_.element_count_max) return fail("too many elements");
  input_.consume_front(header_bytes);
  line_scanned_ = 0;
  const bool is_attribute = type == '|';
  if (*count == 0 && is_attribute) return Step::kOpened;  // nothing to attach: pending ones stay
  item->attributes = std::exchange(pending_attributes_, {});
  if (*count == -1) {
    item->null_array = true;
    return Step::kItem;
  }
  item->kind = aggregate_kind(type);
  if (*count == 0) return Step::kItem;
  if (open_.size() >= limits_.depth_max) return fail("nested too deeply");
  const auto elements = static_cast<uint64_t>(*count) * (type == '%' || is_attribute ? 2 : 1);
  item->elements.reserve(static_cast<size_t>(std::min<uint64_t>(elements, kElementsReservedMax)));
  open_.push_back({std::move(*item), elements, is_attribute});
  return Step::kOpened;
}

namespace {

constexpr uint64_t kScannedCountMax = uint64_t{1} << 40;  // more is no honest count or length
constexpr uint64_t kItemsLeftMax = uint64_t{1} << 60;
constexpr size_t kFirstErrorBytesMax = 200;

}  // namespace

bool ReplyScanner::feed(Bytes bytes, Counts* completed) {
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  while (at != end) {
    switch (state_) {
      case State::kType:
        start_item(*at++);
        break;
      case State::kCount:
        at = read_count(at, end, completed);
        break;
      case State::kLine:
        at = read_line(at, end, completed);
        break;
      case State::kSkip: {
        const uint64_t step = std::min(skip_bytes_, static_cast<uint64_t>(end - at));
        at += step;
        skip_bytes_ -= step;
        if (skip_bytes_ == 0) finish_item(completed);
        break;
      }
      case State::kBroken:
        return false;
    }
  }
  return state_ != State::kBroken;
}

void ReplyScanner::start_item(char type) {
  type_ = type;
  if (items_left_ == 0) {
    items_left_ = 1;
    top_type_ = 0;
    top_null_ = false;
  }
  is_top_ = items_left_ == 1 && top_type_ == 0 && type != '|';
  if (is_top_) top_type_ = type;
  switch (type) {
    case '+':
    case '-':
    case ':':
    case ',':
    case '(':
    case '#':
    case '_':
      if (is_top_ && type == '_') top_null_ = true;
      keep_error_ = is_top_ && type == '-' && first_error_.empty();
      state_ = State::kLine;
      return;
    case '$':
    case '=':
    case '!':
    case '*':
    case '%':
    case '~':
    case '>':
    case '|':
      number_ = 0;
      negative_ = false;
      any_digit_ = false;
      state_ = State::kCount;
      return;
    default:
      state_ = State::kBroken;
  }
}

const char* ReplyScanner::read_count(const char* at, const char* end, Counts* completed) {
  for (; at != end; at++) {
    const uint32_t digit = static_cast<unsigned char>(*at) - uint32_t{'0'};
    if (digit <= 9) {
      number_ = number_ * 10 + digit;
      any_digit_ = true;
      if (number_ > kScannedCountMax) break;
    } else if (*at == '-' && !negative_ && !any_digit_) {
      negative_ = true;
    } else if (*at == '\n' && any_digit_) {
      finish_count(completed);
      return at + 1;
    } else if (*at != '\r') {
      break;
    }
  }
  if (at != end) state_ = State::kBroken;
  return at;
}

void ReplyScanner::finish_count(Counts* completed) {
  if (negative_) {
    if (is_top_) top_null_ = true;
    return finish_item(completed);
  }
  if (type_ == '$' || type_ == '=' || type_ == '!') {
    skip_bytes_ = number_ + 2;
    state_ = State::kSkip;
    return;
  }
  items_left_ += type_ == '%' || type_ == '|' ? 2 * number_ : number_;
  if (type_ == '|') items_left_++;  // not an item itself: finish_item takes this one back
  if (items_left_ > kItemsLeftMax) {
    state_ = State::kBroken;
    return;
  }
  finish_item(completed);
}

const char* ReplyScanner::read_line(const char* at, const char* end, Counts* completed) {
  const char* newline = static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end - at)));
  const char* const line_end = newline == nullptr ? end : newline;
  if (keep_error_) [[unlikely]] {
    const size_t room = kFirstErrorBytesMax - std::min(first_error_.size(), kFirstErrorBytesMax);
    first_error_.append(at, std::min(room, static_cast<size_t>(line_end - at)));
    if (newline != nullptr && !first_error_.empty() && first_error_.back() == '\r') first_error_.pop_back();
  }
  if (newline == nullptr) return end;
  finish_item(completed);
  return newline + 1;
}

void ReplyScanner::finish_item(Counts* completed) {
  state_ = State::kType;
  if (--items_left_ > 0) return;
  if (top_type_ == '>') {
    completed->pushes++;
    return;
  }
  completed->replies++;
  if (top_type_ == '-' || top_type_ == '!') completed->errors++;
  if (top_null_) completed->nulls++;
}

}  // namespace larder
