#include "persistence/aof_format.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "base/number_text.h"
#include "storage/hash.h"

namespace larder {
namespace {

constexpr Bytes kFilePrefix = "#LF:";
constexpr Bytes kBasePrefix = "#LB:";
constexpr Bytes kGroupPrefix = "#LG:";
constexpr Bytes kDurablePrefix = "#LD:";
constexpr Bytes kPaddingEndPrefix = "\n#LE:";
constexpr Bytes kTimestampPrefix = "#TS:";
constexpr Bytes kLineEnd = "\r\n";
constexpr size_t kChecksumDigits = 16;
constexpr size_t kFillerLineBytes = 1000;           // below kAofAnnotationBytesMax
constexpr uint64_t kLineSeed = 0x4c41524445524c47;  // "LARDERLG"

void write_hex(char*& at, uint64_t value, size_t digits) {
  for (size_t i = digits; i-- > 0; value >>= 4) at[i] = kHexDigits[value & 15];
  at += digits;
}

// Reads `digits` lower-case digits at the start of `rest` and the byte `behind` them.
bool read_hex(Bytes& rest, size_t digits, char behind, uint64_t& value) {
  if (rest.size() <= digits || rest[digits] != behind) return false;
  value = 0;
  for (const char c : rest.substr(0, digits)) {
    const int digit = c >= 'A' && c <= 'F' ? -1 : hex_value(c);
    if (digit < 0) return false;
    value = value << 4 | static_cast<uint64_t>(digit);
  }
  rest.remove_prefix(digits + 1);
  return true;
}

void write_text(char*& at, Bytes text) {
  std::memcpy(at, text.data(), text.size());
  at += text.size();
}

// The part of a line that its checksum is seeded with: all in front of the checksum.
Bytes line_head(Bytes line) { return line.substr(0, line.size() - kLineEnd.size() - kChecksumDigits); }

uint64_t checksum_of(Bytes head, uint64_t salt, Bytes commands) { return hash_bytes(commands, hash_bytes(head, salt)); }

void write_checksum_and_end(char* line, char*& at, uint64_t salt, Bytes commands) {
  write_hex(at, checksum_of({line, static_cast<size_t>(at - line)}, salt, commands), kChecksumDigits);
  write_text(at, kLineEnd);
}

}  // namespace

void write_aof_file_line(char* out, AofFileKind kind, uint64_t salt) {
  char* at = out;
  write_text(at, kind == AofFileKind::kBase ? kBasePrefix : kFilePrefix);
  write_hex(at, kAofFormatVersion, 2);
  *at++ = ':';
  write_hex(at, salt, 16);
  *at++ = ':';
  write_checksum_and_end(out, at, kLineSeed, {});
  LARDER_ASSERT(static_cast<size_t>(at - out) == kAofFileLineBytes);
}

std::optional<AofFileLine> parse_aof_file_line(Bytes bytes) {
  const bool is_base = bytes.starts_with(kBasePrefix);
  if (bytes.size() < kAofFileLineBytes || (!is_base && !bytes.starts_with(kFilePrefix))) return {};
  const Bytes whole = bytes.substr(0, kAofFileLineBytes);
  Bytes rest = whole.substr(kFilePrefix.size());
  AofFileLine line;
  if (is_base) line.kind = AofFileKind::kBase;
  uint64_t checksum = 0;
  const bool read = read_hex(rest, 2, ':', line.version) && read_hex(rest, 16, ':', line.salt) &&
                    read_hex(rest, kChecksumDigits, '\r', checksum);
  if (!read || rest != "\n" || checksum != checksum_of(line_head(whole), kLineSeed, {})) return {};
  return line;
}

void write_aof_group_line(char* out, uint64_t salt, uint64_t sequence, uint64_t durable, Bytes commands) {
  LARDER_ASSERT(commands.size() <= kAofGroupBytesMax);
  char* at = out;
  write_text(at, kGroupPrefix);
  write_hex(at, sequence, 16);
  *at++ = ':';
  write_hex(at, durable, 16);
  *at++ = ':';
  write_hex(at, commands.size(), 12);
  *at++ = ':';
  write_checksum_and_end(out, at, salt, commands);
  LARDER_ASSERT(static_cast<size_t>(at - out) == kAofGroupLineBytes);
}

std::optional<AofGroupLine> parse_aof_group_line(Bytes bytes) {
  if (bytes.size() < kAofGroupLineBytes || !bytes.starts_with(kGroupPrefix)) return {};
  Bytes rest = bytes.substr(kGroupPrefix.size(), kAofGroupLineBytes - kGroupPrefix.size());
  AofGroupLine line;
  const bool read = read_hex(rest, 16, ':', line.sequence) && read_hex(rest, 16, ':', line.durable) &&
                    read_hex(rest, 12, ':', line.bytes) && read_hex(rest, kChecksumDigits, '\r', line.checksum);
  if (!read || rest != "\n") return {};
  return line;
}

bool aof_group_is_intact(Bytes line, uint64_t salt, Bytes commands) {
  const std::optional<AofGroupLine> parsed = parse_aof_group_line(line);
  return parsed && parsed->bytes == commands.size() &&
         parsed->checksum == checksum_of(line_head(line.substr(0, kAofGroupLineBytes)), salt, commands);
}

void write_aof_durable_line(char* out, uint64_t salt, uint64_t durable) {
  char* at = out;
  write_text(at, kDurablePrefix);
  write_hex(at, durable, 16);
  *at++ = ':';
  write_checksum_and_end(out, at, salt, {});
  LARDER_ASSERT(static_cast<size_t>(at - out) == kAofDurableLineBytes);
}

std::optional<uint64_t> parse_aof_durable_line(Bytes bytes, uint64_t salt) {
  if (bytes.size() < kAofDurableLineBytes || !bytes.starts_with(kDurablePrefix)) return {};
  const Bytes line = bytes.substr(0, kAofDurableLineBytes);
  Bytes rest = line.substr(kDurablePrefix.size());
  uint64_t durable = 0;
  uint64_t checksum = 0;
  const bool read = read_hex(rest, 16, ':', durable) && read_hex(rest, kChecksumDigits, '\r', checksum);
  if (!read || rest != "\n" || checksum != checksum_of(line_head(line), salt, {})) return {};
  return durable;
}

void write_aof_padding(char* out, size_t bytes, uint64_t salt, uint64_t offset) {
  LARDER_ASSERT(bytes >= kAofPaddingBytesMin);
  const size_t run = bytes - kAofPaddingEndBytes;
  std::memset(out, '#', run);
  char* const line = out + run;
  char* at = line;
  write_text(at, kPaddingEndPrefix);
  write_hex(at, offset + run, 16);
  *at++ = ':';
  write_checksum_and_end(line, at, salt, {});
  LARDER_ASSERT(static_cast<size_t>(at - out) == bytes);
}

bool is_aof_padding_end(Bytes bytes, uint64_t salt, uint64_t offset) {
  if (bytes.size() < kAofPaddingEndBytes || !bytes.starts_with(kPaddingEndPrefix)) return false;
  const Bytes line = bytes.substr(0, kAofPaddingEndBytes);
  Bytes rest = line.substr(kPaddingEndPrefix.size());
  uint64_t stated = 0;
  uint64_t checksum = 0;
  const bool read = read_hex(rest, 16, ':', stated) && read_hex(rest, kChecksumDigits, '\r', checksum);
  return read && rest == "\n" && stated == offset && checksum == checksum_of(line_head(line), salt, {});
}

void append_aof_filler(Buffer& out, size_t bytes) {
  LARDER_ASSERT(bytes != 1);
  while (bytes > 0) {
    // No line is left that would be a line feed alone, or longer than others read.
    const size_t left = bytes - std::min(bytes, kFillerLineBytes);
    const size_t line = left == 1 ? bytes - 2 : bytes - left;
    char* const at = out.reserve(line);
    std::memset(at, '#', line - 1);
    at[line - 1] = '\n';
    out.commit(line);
    bytes -= line;
  }
}

void append_aof_timestamp(Buffer& out, int64_t unix_seconds) {
  char digits[kInt64TextBytesMax];
  out.append(kTimestampPrefix);
  out.append({digits, write_int64(digits, unix_seconds)});
  out.append(kLineEnd);
}

void append_aof_command(Buffer& out, std::span<const Bytes> argv) {
  constexpr size_t kHeaderBytes = 1 + kInt64TextBytesMax + 2;
  size_t bytes_max = kHeaderBytes;
  for (const Bytes argument : argv) bytes_max += kHeaderBytes + argument.size() + kLineEnd.size();
  char* at = out.reserve(bytes_max);
  *at++ = '*';
  at += write_int64(at, static_cast<int64_t>(argv.size()));
  write_text(at, kLineEnd);
  for (const Bytes argument : argv) {
    *at++ = '$';
    at += write_int64(at, static_cast<int64_t>(argument.size()));
    write_text(at, kLineEnd);
    if (!argument.empty()) write_text(at, argument);
    write_text(at, kLineEnd);
  }
  out.commit_to(at);
}

}  // namespace larder
