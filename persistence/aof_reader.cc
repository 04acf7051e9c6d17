#include "persistence/aof_reader.h"

#include <algorithm>

#include "base/assert.h"
#include "persistence/aof_format.h"

namespace larder {
namespace {

// The limits of a command in a file: what any server may have been configured to accept.
RequestLimits file_limits() {
  RequestLimits limits;
  limits.bulk_bytes_max = static_cast<int64_t>(kAofGroupBytesMax);
  return limits;
}

constexpr size_t kProbedCommands = 256;
// What Redis and Valkey write; ours is kAofSelect.
constexpr Bytes kOtherSelect = "SELECT";

// Of what is behind a broken place so many times its length is looked through for groups that are whole.
constexpr uint64_t kHashedPart = 8;

// A command begins with '*' and a count above zero.
bool begins_command(Bytes bytes) {
  return bytes.size() < 2 ? bytes.starts_with('*') : bytes[0] == '*' && bytes[1] >= '1' && bytes[1] <= '9';
}

bool begins_transaction(Bytes name) { return equals_ignore_case(name, "multi"); }
bool ends_transaction(Bytes name) { return equals_ignore_case(name, "exec") || equals_ignore_case(name, "discard"); }

// Whether a line that is none of ours may have been one: by its beginning, or by its length.
bool looks_like_ours(Bytes line) {
  return line.starts_with("#L") || line.size() == kAofDurableLineBytes || line.size() == kAofGroupLineBytes;
}

std::string at_offset(const std::string& what, uint64_t offset) {
  return what + " at offset " + std::to_string(offset);
}

}  // namespace

AofReader::AofReader(File& file, uint64_t file_bytes, uint64_t offset)
    : file_(file), file_bytes_(file_bytes), position_(offset), buffer_offset_(offset) {}

Result<bool> AofReader::next(size_t commands_max) {
  LARDER_ASSERT(commands_max > 0 && !ended_);
  commands_.clear();
  arguments_.clear();
  while (commands_.size() < commands_max) {
    LARDER_TRY_ASSIGN(const Step done, step());
    if (done == Step::kEnd) {
      ended_ = true;
      return false;
    }
    if (done == Step::kNeedsMore) break;
  }
  return true;
}

// kNeedsMore: commands are collected, and going on would move the bytes they point to.
Result<AofReader::Step> AofReader::step() {
  if (group_end_ != 0 && position_ == group_end_) group_end_ = 0;
  if (group_end_ != 0) {
    if (available().starts_with('#')) {
      skip_group_annotation();
      return Step::kSkipped;
    }
    return read_command();
  }
  if (available().empty()) {
    if (!commands_.empty()) return Step::kNeedsMore;
    LARDER_TRY_ASSIGN(const bool more, fill(1));
    if (!more) return finish_at_end();
  }
  if (available().starts_with('#')) return read_annotation();
  return read_command();
}

// Within a group that is verified: "#TS:" and the like.
void AofReader::skip_group_annotation() {
  const Bytes rest = available().substr(0, static_cast<size_t>(group_end_ - position_));
  advance(std::min(rest.find('\n'), rest.size() - 1) + 1);
}

Result<AofReader::Step> AofReader::read_annotation() {
  if (!commands_.empty()) return Step::kNeedsMore;
  LARDER_TRY(fill(kAofAnnotationBytesMax).status());
  const Bytes rest = available();
  if (knows_times_only_ && !rest.starts_with("#TS:")) return finish(Ending::kDamaged, position_, "a line of ours");
  const bool is_run = rest.size() == 1 || rest[1] == '#' || rest[1] == '\n';
  if (salt_ && !is_base_ && is_run) return skip_padding();
  padding_.reset();
  if (rest.starts_with("#LG:")) return read_group();
  if (rest.starts_with("#LF:") || rest.starts_with("#LB:")) {
    const std::optional<AofFileLine> line = parse_aof_file_line(rest);
    // It is synced before anything follows it; a base is, too, as a whole.
    if (!line && rest.starts_with("#LF:") && rest.size() <= kAofFileLineBytes)
      return finish_broken(position_, "an unfinished line", true);
    if (!line || salt_) return finish(Ending::kDamaged, position_, at_offset("a bad line", position_));
    if (line->version > kAofFormatVersion) {
      return finish(Ending::kDamaged, position_, at_offset("a line of a later version", position_));
    }
    salt_ = line->salt;
    is_base_ = line->kind == AofFileKind::kBase;
    advance(kAofFileLineBytes);
    return Step::kSkipped;
  }
  const size_t line_end = rest.find('\n');
  if (line_end == Bytes::npos || line_end >= kAofAnnotationBytesMax) {
    const bool ends_early = rest.size() < kAofAnnotationBytesMax;
    return finish_broken(position_, "an annotation without an end", ends_early);
  }
  if (salt_ || knows_times_only_) {
    const std::optional<uint64_t> durable = salt_ ? parse_aof_durable_line(rest, *salt_) : std::nullopt;
    const bool is_bad = durable ? *durable > last_sequence_ : looks_like_ours(rest.substr(0, line_end + 1));
    if (is_bad) return finish_broken(position_, "a bad line", false);
    if (durable) claimed_sequence_ = *durable;
  }
  advance(line_end + 1);
  return Step::kSkipped;
}

Result<AofReader::Step> AofReader::skip_padding() {
  const uint64_t begin = position_;
  outside_group_ = false;  // only our groups are written over padding
  while (true) {
    advance(std::min(available().find_first_not_of('#'), available().size()));
    LARDER_TRY(fill(kAofPaddingEndBytes).status());
    if (!available().starts_with('#')) break;
  }
  // It may not have reached the disk to its end.
  if (available().empty() || is_aof_padding_end(available(), *salt_, position_)) {
    advance(std::min(available().size(), kAofPaddingEndBytes));
    if (!padding_) padding_ = begin;
    return Step::kSkipped;
  }
  return finish_broken(padding_.value_or(begin), "an unfinished group", false);
}

Result<AofReader::Step> AofReader::read_group() {
  const uint64_t begin = position_;
  outside_group_ = false;
  const std::optional<AofGroupLine> line = parse_aof_group_line(available());
  if (!line) return finish_broken(begin, "a bad line", available().size() < kAofGroupLineBytes);
  const size_t whole_bytes = kAofGroupLineBytes + static_cast<size_t>(line->bytes);
  LARDER_TRY_ASSIGN(const bool is_there, fill(whole_bytes));
  if (!is_there) return broken_group(begin, "an unfinished group", true);
  if (!salt_) return finish(Ending::kDamaged, begin, at_offset("a group without the file's first line", begin));
  const Bytes whole = available().substr(0, whole_bytes);
  if (!aof_group_is_intact(whole.substr(0, kAofGroupLineBytes), *salt_, whole.substr(kAofGroupLineBytes))) {
    return broken_group(begin, "a wrong checksum", false);
  }
  if (line->sequence != last_sequence_ + 1) return finish_broken(begin, "a group is missing", false);
  last_sequence_ = line->sequence;
  advance(kAofGroupLineBytes);
  group_end_ = position_ + line->bytes;
  return Step::kSkipped;
}

// Another server that finds a group unfinished has executed what is whole of it, has cut off the rest, and has gone on
// there: then it is no group any more.
Result<AofReader::Step> AofReader::broken_group(uint64_t begin, std::string reason, bool ends_early) {
  if (!salt_ || is_base_) return finish_broken(begin, std::move(reason), ends_early);
  LARDER_TRY_ASSIGN(const bool other_went_on, other_server_went_on(begin + kAofGroupLineBytes));
  if (!other_went_on) return finish_broken(begin, std::move(reason), ends_early);
  taken_over_ = begin;
  outside_group_ = true;
  advance(kAofGroupLineBytes);
  return Step::kSkipped;
}

// Whether whole commands follow that another server has added to: it selects a database first, and spells that as no group of
// ours does. Of lines it writes but times; behind one of ours it was us who went on.
Result<bool> AofReader::other_server_went_on(uint64_t offset) {
  AofReader probe(file_, file_bytes_, offset);
  probe.knows_times_only_ = true;
  bool selects = false;
  bool in_multi = false;  // its own transaction, which is cut off again if it has no end
  for (bool more = true; more;) {
    LARDER_TRY_ASSIGN(more, probe.next(kProbedCommands));
    for (const Command& command : probe.commands()) {
      const std::span<const Bytes> argv = probe.argv(command);
      selects |= argv.size() == 2 && argv[0] == kOtherSelect;
      in_multi = begins_transaction(argv[0]) || (in_multi && !ends_transaction(argv[0]));
      if (selects && !in_multi) return true;
    }
  }
  return false;
}

Result<AofReader::Step> AofReader::read_command() {
  const uint64_t begin = position_;
  const RequestLimits limits = file_limits();
  for (size_t wanted = 0;;) {
    Bytes rest = available();
    if (group_end_ != 0) rest = rest.substr(0, static_cast<size_t>(group_end_ - position_));
    if (!begins_command(rest)) return finish_broken(begin, "not a command", false);
    ParseProgress progress;
    const ParseResult parsed = parse_request(rest, limits, progress, arguments_);
    if (parsed.outcome == ParseOutcome::kRequest) {
      padding_.reset();
      commands_.push_back({parsed.first_arg, parsed.arg_count, begin});
      outside_group_ = group_end_ == 0;
      ++command_count_;
      note_transaction(arguments_[parsed.first_arg], begin);
      advance(parsed.consumed);
      return Step::kCommand;
    }
    if (parsed.outcome == ParseOutcome::kError) return finish_broken(begin, "not a command", false);
    // Verified, but no whole commands: nobody but a broken writer makes such a group.
    if (group_end_ != 0) return finish(Ending::kDamaged, begin, at_offset("a command beyond its group", begin));
    if (!commands_.empty()) return Step::kNeedsMore;
    if (rest.size() == file_bytes_ - begin) return finish_broken(begin, "an unfinished command", true);
    wanted = std::max({parsed.consumed + parsed.needed_bytes, 2 * rest.size(), wanted});
    LARDER_TRY(fill(wanted).status());
  }
}

void AofReader::note_transaction(Bytes name, uint64_t offset) {
  if (begins_transaction(name)) {
    if (!open_multi_) open_multi_ = offset;
  } else if (ends_transaction(name)) {
    open_multi_.reset();
  }
}

Result<bool> AofReader::fill(size_t bytes) {
  LARDER_ASSERT(commands_.empty());
  if (available().size() >= bytes) return true;
  buffer_.consume_front(static_cast<size_t>(position_ - buffer_offset_));
  buffer_offset_ = position_;
  const uint64_t rest_bytes = file_bytes_ - position_;
  const size_t wanted = static_cast<size_t>(std::min<uint64_t>(std::max(bytes, kReadBytes), rest_bytes));
  while (buffer_.size() < wanted) {
    const size_t step_bytes = std::min(wanted - buffer_.size(), kReadBytes);
    char* room = buffer_.reserve(step_bytes);
    LARDER_TRY_ASSIGN(const size_t got, file_.read_at(buffer_offset_ + buffer_.size(), room, step_bytes));
    if (got == 0) return Error{ErrorCode::kIo, "the file became shorter while it was read"};
    buffer_.commit(got);
  }
  return buffer_.size() >= bytes;
}

AofReader::Step AofReader::finish(Ending ending, uint64_t offset, std::string reason) {
  // A MULTI without an EXEC is cut off, too.
  if (ending != Ending::kComplete && ending != Ending::kCutShort) offset = open_multi_.value_or(offset);
  end_ = {ending, offset, std::move(reason)};
  return Step::kEnd;
}

AofReader::Step AofReader::finish_at_end() {
  const uint64_t end = padding_.value_or(position_);
  if (open_multi_) return finish(Ending::kTorn, *open_multi_, at_offset("MULTI without EXEC", *open_multi_));
  if (base_end_is_missing()) {
    return finish(Ending::kCutShort, end, at_offset("the end of the base is missing", end));
  }
  return finish(Ending::kComplete, end, {});
}

Result<AofReader::Step> AofReader::finish_broken(uint64_t offset, std::string reason, bool ends_early) {
  reason = at_offset(reason, offset);
  bool torn = ends_early;
  if (base_end_is_missing()) {
    torn = false;
  } else if (salt_ && !outside_group_) {
    // What is broken is the group after the last good one.
    LARDER_TRY_ASSIGN(const bool claimed, durability_claimed_behind(offset, last_sequence_ + 1));
    torn = !claimed;
  }
  return finish(torn ? Ending::kTorn : Ending::kDamaged, offset, std::move(reason));
}

// Looks through the rest of the file for an intact line of ours which says that group `sequence` had been synced.
Result<bool> AofReader::durability_claimed_behind(uint64_t offset, uint64_t sequence) {
  constexpr size_t kOverlapBytes = std::max(kAofGroupLineBytes, kAofDurableLineBytes);
  uint64_t hashed_bytes_left = kHashedPart * (file_bytes_ - offset);
  std::string piece(static_cast<size_t>(std::min<uint64_t>(kReadBytes, file_bytes_ - offset)), '\0');
  // From the broken place itself on: where a group is missing, what stands there may be whole, and make the claim.
  for (uint64_t at = offset; at < file_bytes_;) {
    LARDER_TRY_ASSIGN(const size_t got, file_.read_at(at, piece.data(), piece.size()));
    if (got == 0) break;
    LARDER_TRY_ASSIGN(const bool claimed, claims_in({piece.data(), got}, at, sequence, hashed_bytes_left));
    if (claimed) return true;
    if (at + got >= file_bytes_) break;
    at += got > kOverlapBytes ? got - kOverlapBytes : got;
  }
  return false;
}

// Values that clients store may look like lines of ours, each of a group that reaches to the end of the file. When too much
// had to be looked through to tell, it is taken for a claim: then nothing is cut off that may have been durable.
Result<bool> AofReader::claims_in(Bytes piece, uint64_t at, uint64_t sequence, uint64_t& hashed_bytes_left) {
  for (size_t found = piece.find("#L"); found != Bytes::npos; found = piece.find("#L", found + 1)) {
    const Bytes rest = piece.substr(found);
    const std::optional<uint64_t> claim = parse_aof_durable_line(rest, *salt_);
    if (claim && *claim >= sequence) return true;
    const std::optional<AofGroupLine> line = parse_aof_group_line(rest);
    if (!line || line->durable < sequence) continue;
    // More groups than fit between cannot be missing.
    const uint64_t sequence_max = sequence + file_bytes_ / kAofGroupLineBytes;
    if (line->sequence <= line->durable || line->sequence > sequence_max) continue;
    const uint64_t begin = at + found + kAofGroupLineBytes;
    if (begin > file_bytes_ || line->bytes > file_bytes_ - begin) continue;
    if (line->bytes > hashed_bytes_left) return true;
    hashed_bytes_left -= line->bytes;
    LARDER_TRY_ASSIGN(const bool intact, group_is_intact_at(at + found, rest.substr(0, kAofGroupLineBytes)));
    if (intact) return true;
  }
  return false;
}

Result<bool> AofReader::group_is_intact_at(uint64_t offset, Bytes line) {
  const uint64_t bytes = parse_aof_group_line(line)->bytes;
  const uint64_t begin = offset + kAofGroupLineBytes;
  if (begin > file_bytes_ || bytes > file_bytes_ - begin) return false;
  std::string commands(static_cast<size_t>(bytes), '\0');
  for (size_t done = 0; done < commands.size();) {
    LARDER_TRY_ASSIGN(const size_t got, file_.read_at(begin + done, commands.data() + done, commands.size() - done));
    if (got == 0) return false;
    done += got;
  }
  return aof_group_is_intact(line, *salt_, commands);
}

}  // namespace larder
