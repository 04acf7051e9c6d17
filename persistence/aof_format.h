#pragma once

// The lines that Larder puts between the commands of an append-only file, and the commands themselves.
//
//     #LF:<version>:<salt>:<checksum>\r\n                 once in a file: groups follow
//     #LB:<version>:<salt>:<checksum>\r\n                 in its place in a base: its last #LD names its last group
//     #LG:<sequence>:<durable>:<bytes>:<checksum>\r\n     a group: so many bytes of commands follow
//     #LD:<durable>:<checksum>\r\n                        the groups up to this one have been synced
//     ####...####\n#LE:<offset>:<checksum>\r\n           room: what comes next is written over it
//     #TS:<unix seconds>\r\n                              when what follows was written; Redis writes it too
//     ###...#\n                                           at the end of a group: it ends at the end of a block of the disk
//
// Redis 7 and later skip every line that starts with '#'. Numbers of the others are hexadecimal and of fixed width, so
// that the room of a header is known before its group is. docs/design/append_log.md says what they are for. Checksums of
// groups and claims are seeded with the file's salt, so that a value that a client stores cannot pass for one.

#include <cstdint>
#include <optional>
#include <span>

#include "base/buffer.h"
#include "base/bytes.h"

namespace larder {

inline constexpr uint64_t kAofFormatVersion = 1;
inline constexpr size_t kAofFileLineBytes = 4 + 2 + 1 + 16 + 1 + 16 + 2;
inline constexpr size_t kAofGroupLineBytes = 4 + 16 + 1 + 16 + 1 + 12 + 1 + 16 + 2;
inline constexpr size_t kAofDurableLineBytes = 4 + 16 + 1 + 16 + 2;
inline constexpr size_t kAofPaddingEndBytes = 1 + 4 + 16 + 1 + 16 + 2;  // from the line feed on
inline constexpr size_t kAofPaddingBytesMin = 1 + kAofPaddingEndBytes;
// Redis reads annotation lines of up to so many bytes.
inline constexpr size_t kAofAnnotationBytesMax = 1024;
// What the 12 digits of a group's length can say.
inline constexpr uint64_t kAofGroupBytesMax = (uint64_t{1} << 48) - 1;

struct AofGroupLine {
  uint64_t sequence = 0;  // counts the groups of one file from 1
  uint64_t durable = 0;   // groups up to this one had been synced when this one was written
  uint64_t bytes = 0;     // of the commands that follow
  uint64_t checksum = 0;
};

// A base is named by the manifest when it is complete, so that it can say where it ends; what is added to goes on.
enum class AofFileKind : uint8_t { kIncremental, kBase };

struct AofFileLine {
  AofFileKind kind = AofFileKind::kIncremental;
  uint64_t version = 0;
  uint64_t salt = 0;
};

// Each writer fills exactly the line's bytes. Each reader looks at the start of `bytes`; nothing comes back when there is no
// whole, well formed line.
void write_aof_file_line(char* out, AofFileKind kind, uint64_t salt);
std::optional<AofFileLine> parse_aof_file_line(Bytes bytes);  // its checksum is right

// Requires: commands.size() <= kAofGroupBytesMax.
void write_aof_group_line(char* out, uint64_t salt, uint64_t sequence, uint64_t durable, Bytes commands);
std::optional<AofGroupLine> parse_aof_group_line(Bytes bytes);  // the checksum is not looked at
// Whether `commands` are the ones that the line (kAofGroupLineBytes long) was written for.
bool aof_group_is_intact(Bytes line, uint64_t salt, Bytes commands);

// Whether a file that begins so is one that we have begun.
inline bool begins_aof_file(Bytes bytes) { return bytes.starts_with("#LF:"); }

void write_aof_durable_line(char* out, uint64_t salt, uint64_t durable);
// The sequence that the line claims to be durable.
std::optional<uint64_t> parse_aof_durable_line(Bytes bytes, uint64_t salt);

// Fills `bytes` that begin at `offset` of the file. Whatever end of it is left by what is written over it is padding too,
// down to kAofPaddingBytesMin, but see aof_padding_is_misread(). Requires: bytes >= kAofPaddingBytesMin.
void write_aof_padding(char* out, size_t bytes, uint64_t salt, uint64_t offset);
// Redis reads a line in pieces of 1023 bytes and takes each for a line: the last one must not be the line feed alone. Where so
// many bytes would be misread, kAofShortLine goes in front of them.
constexpr bool aof_padding_is_misread(uint64_t bytes) {
  return bytes >= kAofPaddingBytesMin && (bytes - kAofPaddingEndBytes) % (kAofAnnotationBytesMax - 1) == 0;
}
inline constexpr Bytes kAofShortLine = "#.\n";
// Whether the line feed at `offset` and the line behind it end a padding: other bytes in a padding are those of a group
// that did not reach the disk as a whole.
bool is_aof_padding_end(Bytes bytes, uint64_t salt, uint64_t offset);

// Appends "#TS:<unix_seconds>\r\n".
void append_aof_timestamp(Buffer& out, int64_t unix_seconds);
// Appends so many bytes of lines that everybody skips. Requires: bytes is not 1.
void append_aof_filler(Buffer& out, size_t bytes);
// How a database is selected in our files. Other servers write it in capitals, which tells where one of them went on.
inline constexpr Bytes kAofSelect = "select";
// Appends a command as an array of bulk strings.
void append_aof_command(Buffer& out, std::span<const Bytes> argv);

}  // namespace larder
