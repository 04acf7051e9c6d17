#include "persistence/aof_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "persistence/aof_format.h"
#include "tests/unit/base/test_seed.h"
#include "tests/unit/persistence/aof_test_log.h"

namespace larder {
namespace {

using Ending = AofReader::Ending;

constexpr const char* kPath = "/log/file";
constexpr uint64_t kSalt = 0x1234567890abcdef;

// A file made line by line.
class FileText {
 public:
  FileText& file_line(AofFileKind kind = AofFileKind::kIncremental) {
    char line[kAofFileLineBytes];
    write_aof_file_line(line, kind, kSalt);
    text_.append(line, sizeof line);
    return *this;
  }
  // A group of numbered commands.
  FileText& group(std::vector<uint64_t> numbers, uint64_t durable, size_t filler_bytes = 10) {
    Buffer commands;
    for (const uint64_t number : numbers) append_numbered(commands, number, filler_bytes);
    return raw_group(commands.bytes(), durable);
  }
  FileText& raw_group(Bytes commands, uint64_t durable) {
    char line[kAofGroupLineBytes];
    write_aof_group_line(line, kSalt, ++sequence_, durable, commands);
    text_.append(line, sizeof line);
    text_.append(commands);
    ends_.push_back(text_.size());
    return *this;
  }
  FileText& claim(uint64_t durable) {
    char line[kAofDurableLineBytes];
    write_aof_durable_line(line, kSalt, durable);
    text_.append(line, sizeof line);
    return *this;
  }
  FileText& plain(Bytes text) {
    text_.append(text);
    return *this;
  }
  const std::string& text() const { return text_; }
  size_t end_of_group(size_t index) const { return ends_[index]; }

 private:
  std::string text_;
  uint64_t sequence_ = 0;
  std::vector<size_t> ends_;
};

ReadLog read(Bytes text, size_t commands_max = 3) {
  MemoryFileSystem files;
  files.set_content(kPath, text);
  ReadLog log;
  read_aof_file(files, kPath, log, commands_max);
  return log;
}

std::string command_text(uint64_t number) {
  Buffer buffer;
  append_numbered(buffer, number);
  return std::string(buffer.bytes());
}

bool is_prefix(const std::vector<uint64_t>& part, const std::vector<uint64_t>& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

TEST(AofReader, ReadsGroupsAndWhatIsBetween) {
  FileText file;
  file.plain(command_text(1)).plain("#TS:1700000000\r\n").file_line().group({2, 3}, 0).claim(1).group({4}, 1);
  for (const size_t commands_max : {1u, 2u, 100u}) {
    const ReadLog log = read(file.text(), commands_max);
    EXPECT_EQ(log.numbers, (std::vector<uint64_t>{1, 2, 3, 4}));
    EXPECT_EQ(log.end.ending, Ending::kComplete);
    EXPECT_EQ(log.end.offset, file.text().size());
    EXPECT_EQ(log.resume.last_sequence, 2u);
    EXPECT_EQ(log.resume.salt, kSalt);
  }
}

TEST(AofReader, AnEmptyFileIsComplete) {
  const ReadLog log = read("");
  EXPECT_EQ(log.end.ending, Ending::kComplete);
  EXPECT_TRUE(log.numbers.empty());
}

TEST(AofReader, GroupsLargerThanOneReadAreWhole) {
  FileText file;
  file.file_line().group({1, 2, 3}, 0, AofReader::kReadBytes).group({4}, 1);
  EXPECT_EQ(read(file.text()).numbers, (std::vector<uint64_t>{1, 2, 3, 4}));
  EXPECT_EQ(read(file.text()).end.ending, Ending::kComplete);
}

// A file that ends anywhere behind what was claimed durable is torn: what is in front of the cut comes, whole groups only.
TEST(AofReader, EveryCutOfTheTailIsTorn) {
  FileText file;
  file.file_line().group({1, 2}, 0).group({3}, 1).group({4, 5, 6}, 1);
  const std::vector<uint64_t> all = {1, 2, 3, 4, 5, 6};
  for (size_t size = 0; size <= file.text().size(); ++size) {
    const ReadLog log = read(Bytes(file.text()).substr(0, size));
    const size_t groups = size >= file.end_of_group(2)   ? 3
                          : size >= file.end_of_group(1) ? 2
                          : size >= file.end_of_group(0) ? 1
                                                         : 0;
    constexpr size_t kCommands[] = {0, 2, 3, 6};
    EXPECT_EQ(log.numbers, std::vector<uint64_t>(all.begin(), all.begin() + kCommands[groups])) << size;
    EXPECT_NE(log.end.ending, Ending::kDamaged) << size;
    // Cut at the offset it names, the file is complete.
    const ReadLog again = read(Bytes(file.text()).substr(0, log.end.offset));
    EXPECT_EQ(again.end.ending, Ending::kComplete) << size;
    EXPECT_EQ(again.numbers, log.numbers) << size;
  }
}

// A base says where it ends, so that it cannot be cut without being found out: not even between two groups.
TEST(AofReader, NoCutOfABaseIsTaken) {
  FileText file;
  file.file_line(AofFileKind::kBase).group({1, 2}, 0).group({3}, 1).group({4, 5, 6}, 2).claim(3);
  const Bytes text = file.text();
  EXPECT_EQ(read(text).end.ending, Ending::kComplete);
  for (size_t size = 4; size < text.size(); ++size) {
    const bool behind_a_group = size == kAofFileLineBytes || size == file.end_of_group(0) ||
                                size == file.end_of_group(1) || size == file.end_of_group(2);
    const ReadLog log = read(text.substr(0, size));
    EXPECT_EQ(log.end.ending, behind_a_group ? Ending::kCutShort : Ending::kDamaged) << size;
    EXPECT_FALSE(log.end.reason.empty()) << size;
  }
}

// Another server may have gone on behind a base that it was given as its only file.
TEST(AofReader, WhatIsBehindABaseIsAsItIs) {
  FileText file;
  file.file_line(AofFileKind::kBase).group({1}, 0).claim(1).plain(command_text(2)).plain(command_text(3));
  const ReadLog whole = read(file.text());
  EXPECT_EQ(whole.end.ending, Ending::kComplete);
  EXPECT_EQ(whole.numbers, (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(read(Bytes(file.text()).substr(0, file.text().size() - 1)).end.ending, Ending::kTorn);
}

std::string padding(size_t bytes, uint64_t offset, uint64_t salt = kSalt) {
  std::string text(bytes, '\0');
  write_aof_padding(text.data(), bytes, salt, offset);
  return text;
}

// Room at the end of a file, written over in part: it ends where the room begins, and others may have gone on behind it.
TEST(AofReader, PaddingIsTheEnd) {
  FileText groups;
  groups.file_line().group({1, 2}, 0).group({3}, 1);
  const std::string& text = groups.text();
  for (const size_t bytes : {size_t{4096}, kAofPaddingBytesMin, 2 * AofReader::kReadBytes}) {
    const std::string room = padding(bytes, text.size());
    const ReadLog log = read(text + room);
    EXPECT_EQ(log.end.ending, Ending::kComplete) << log.end.reason;
    EXPECT_EQ(log.end.offset, text.size());
    const ReadLog gone_on_with = read(text + room + command_text(4));
    EXPECT_EQ(gone_on_with.numbers, (std::vector<uint64_t>{1, 2, 3, 4})) << gone_on_with.end.reason;
    EXPECT_EQ(gone_on_with.end.ending, Ending::kComplete);
    EXPECT_EQ(gone_on_with.end.offset, text.size() + bytes + command_text(4).size());
    // It may have reached the disk in part.
    for (size_t cut = 1; cut < std::min<size_t>(bytes, 100); ++cut) {
      const ReadLog part = read(text + room.substr(0, bytes - cut));
      EXPECT_EQ(part.end.offset, text.size()) << cut << part.end.reason;
      EXPECT_NE(part.end.ending, Ending::kDamaged) << cut;
    }
  }
}

// An end line that was written over, and beyond, is there again after a power cut: with zeros behind it, not with commands.
TEST(AofReader, ZerosBehindPaddingAreAnUnfinishedGroup) {
  FileText groups;
  groups.file_line().group({1}, 0);
  const std::string& text = groups.text();
  const ReadLog log = read(text + padding(4096, text.size()) + std::string(8, '\0') + command_text(2));
  EXPECT_EQ(log.numbers, (std::vector<uint64_t>{1}));
  EXPECT_EQ(log.end.ending, Ending::kTorn) << log.end.reason;
}

// Sectors of a group that reached the disk without its beginning are no commands of another server, whatever clients store.
TEST(AofReader, WhatIsLeftInPaddingIsNotExecuted) {
  FileText groups;
  groups.file_line().group({1}, 0);
  const std::string& text = groups.text();
  const std::string stored = "\n" + command_text(2);
  const std::string forged = padding(kAofPaddingBytesMin, text.size() + 1000, kSalt + 1).substr(1) + command_text(2);
  const std::string moved = padding(kAofPaddingBytesMin, 0).substr(1) + command_text(2);
  for (const std::string& left : {stored, forged, moved, command_text(2), std::string(1, '\0')}) {
    const ReadLog log = read(text + std::string(1000, '#') + left);
    EXPECT_EQ(log.numbers, (std::vector<uint64_t>{1}));
    EXPECT_EQ(log.end.ending, Ending::kTorn) << left;
    EXPECT_EQ(log.end.offset, text.size()) << left;
    if (left.starts_with('\n')) {
      EXPECT_EQ(read(text + "#" + left).numbers, (std::vector<uint64_t>{1})) << left;
    }
  }
}

TEST(AofReader, EveryCutOfAPlainFileIsTorn) {
  const std::string text = command_text(1) + command_text(2) + command_text(3);
  for (size_t size = 0; size <= text.size(); ++size) {
    const ReadLog log = read(Bytes(text).substr(0, size));
    EXPECT_EQ(log.numbers.size(), size / command_text(1).size()) << size;
    EXPECT_EQ(log.end.ending, size % command_text(1).size() == 0 ? Ending::kComplete : Ending::kTorn) << size;
    EXPECT_EQ(log.end.offset, size / command_text(1).size() * command_text(1).size()) << size;
  }
}

// What was claimed durable and is not whole any more is damage, wherever it is.
TEST(AofReader, DamageOfWhatWasDurableIsDamage) {
  FileText file;
  file.file_line().group({1, 2}, 0).group({3}, 1).group({4, 5, 6}, 2).claim(3);
  const size_t durable_end = file.end_of_group(2);
  for (size_t at = 0; at < durable_end; ++at) {
    for (const char flip : {'\x01', '\x20', '\x80'}) {
      std::string text = file.text();
      text[at] = static_cast<char>(text[at] ^ flip);
      const ReadLog log = read(text);
      EXPECT_TRUE(is_prefix(log.numbers, {1, 2, 3, 4, 5, 6})) << at;
      if (log.end.ending == Ending::kComplete) {
        EXPECT_EQ(log.numbers.size(), 6u) << at;
      } else {
        EXPECT_EQ(log.end.ending, Ending::kDamaged) << at << ": " << log.end.reason;
        // Without the first line's prefix it is the first group that shows it.
        EXPECT_TRUE(at < 4 || log.end.offset <= at) << at;
      }
    }
  }
}

// One byte of the whole file, claims and all, is another: it is found, or it changes nothing.
TEST(AofReader, AnyByteFlippedIsDetectedOrHarmless) {
  FileText file;
  file.file_line().group({1}, 0).claim(1).group({2, 3}, 1).plain("#TS:1700000000\r\n").group({4}, 1).group({5}, 2);
  const std::vector<uint64_t> all = {1, 2, 3, 4, 5};
  for (size_t at = 0; at < file.text().size(); ++at) {
    for (int flip = 1; flip < 256; flip = flip < 4 ? flip + 1 : flip * 2 - 1) {
      std::string text = file.text();
      const int value = text[at] ^ flip;
      text[at] = static_cast<char>(value);
      const ReadLog log = read(text);
      ASSERT_TRUE(is_prefix(log.numbers, all)) << at << " = " << value;
      ASSERT_TRUE(log.end.ending != Ending::kComplete || log.numbers == all) << at << " = " << value;
      // The first two groups were durable: nothing in them is taken for a torn tail.
      ASSERT_TRUE(log.numbers.size() >= 3 || log.end.ending == Ending::kDamaged) << at << " = " << value;
    }
  }
}

// Sectors behind the last sync that did not reach the disk: a torn tail, whichever they are.
TEST(AofReader, LostSectorsOfTheTailAreTorn) {
  const uint64_t seed = test_seed();
  Random random(seed);
  for (int round = 0; round < 300; ++round) {
    FileText file;
    file.file_line().group({1}, 0).claim(1);
    const size_t durable_end = file.text().size();
    std::vector<uint64_t> all = {1};
    for (uint64_t number = 2; number < 12; ++number) {
      file.group({number}, 1, random.uniform(1500));
      all.push_back(number);
    }
    std::string text = file.text();
    for (size_t sector = durable_end / 512 * 512; sector < text.size(); sector += 512) {
      if (!random.one_in(4)) continue;
      const size_t begin = std::max(sector, durable_end);
      const size_t count = std::min(sector + 512, text.size()) - begin;
      text.replace(begin, count, count, random.one_in(2) ? '\0' : '*');
    }
    const ReadLog log = read(text);
    EXPECT_TRUE(is_prefix(log.numbers, all)) << "seed " << seed;
    EXPECT_GE(log.numbers.size(), 1u);
    EXPECT_NE(log.end.ending, Ending::kDamaged) << "seed " << seed << ": " << log.end.reason;
  }
}

TEST(AofReader, AMissingGroupIsFound) {
  FileText file;
  file.file_line().group({1}, 0).group({2}, 1).group({3}, 2);
  std::string text = file.text();
  text.erase(file.end_of_group(0), file.end_of_group(1) - file.end_of_group(0));
  const ReadLog log = read(text);
  EXPECT_EQ(log.numbers, (std::vector<uint64_t>{1}));
  EXPECT_EQ(log.end.ending, Ending::kDamaged);
  EXPECT_EQ(log.end.reason, "a group is missing at offset " + std::to_string(file.end_of_group(0)));
}

TEST(AofReader, AnOpenTransactionIsTornWhereItBegins) {
  const std::string text = command_text(1) + "*1\r\n$5\r\nMULTI\r\n" + command_text(2);
  const ReadLog log = read(text);
  EXPECT_EQ(log.end.ending, Ending::kTorn);
  EXPECT_EQ(log.end.offset, command_text(1).size());
  EXPECT_EQ(read(text + "*1\r\n$4\r\nEXEC\r\n").end.ending, Ending::kComplete);
}

// Whatever the damage is: the file cut at its offset is whole.
TEST(AofReader, DamageBehindAnOpenTransactionIsWhereThatBegins) {
  FileText file;
  file.plain(command_text(1)).plain("*1\r\n$5\r\nMULTI\r\n").plain(command_text(2));
  FileText group;
  group.group({3}, 0);
  for (const std::string& damage :
       {std::string("#LF:01:no line of ours, but long enough to be one\r\n"), group.text()}) {
    const ReadLog log = read(file.text() + damage);
    EXPECT_EQ(log.end.ending, Ending::kDamaged);
    EXPECT_EQ(log.end.offset, command_text(1).size()) << damage;
  }
}

// A value that a client stored looks like lines of the log; without the salt it cannot pass for one.
TEST(AofReader, ValuesDoNotPassForClaims) {
  char claim[kAofDurableLineBytes];
  write_aof_durable_line(claim, kSalt + 1, 9);
  Buffer commands;
  const Bytes argv[] = {"SET", "2", Bytes(claim, sizeof claim)};
  append_aof_command(commands, argv);
  FileText file;
  file.file_line().group({1}, 0).group({7}, 1).raw_group(commands.bytes(), 1);
  std::string text = file.text();
  text[file.end_of_group(1) - 4] ^= 1;
  EXPECT_EQ(read(text).end.ending, Ending::kTorn);
}

// A torn tail that is a client's value of lines which each look like a group to the end of the file: the time is bounded, also
// when the sequence is guessed, and what cannot be told is not cut off.
TEST(AofReader, ManyThatLookLikeClaimsCostLittle) {
  constexpr size_t kLines = 20000;
  const std::string kDigits = "000000080000";  // half of the value
  for (const bool is_plausible : {false, true}) {
    FileText file;
    file.file_line().group({1}, 0);
    const size_t end = file.text().size();
    std::string value;
    for (size_t i = 0; i < kLines; ++i) {
      char line[kAofGroupLineBytes];
      const uint64_t sequence = is_plausible ? 5 : 0;
      write_aof_group_line(line, kSalt + 1, sequence, is_plausible ? 4 : UINT64_MAX, {});
      std::string text(line, sizeof line);
      value += text.replace(4 + 16 + 1 + 16 + 1, kDigits.size(), kDigits);
    }
    file.raw_group("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9999999\r\n" + value, 1);
    const ReadLog log = read(file.text().substr(0, file.text().size() - 10));
    EXPECT_EQ(log.end.offset, end);
    EXPECT_EQ(log.end.ending, is_plausible ? Ending::kDamaged : Ending::kTorn);
  }
}

TEST(AofReader, WhatAnotherServerAppendedIsTaken) {
  FileText file;
  file.file_line().group({1}, 0).claim(1).plain(command_text(2)).plain("#TS:1700000001\r\n").plain(command_text(3));
  EXPECT_EQ(read(file.text()).numbers, (std::vector<uint64_t>{1, 2, 3}));
  EXPECT_EQ(read(file.text()).end.ending, Ending::kComplete);
  const ReadLog cut = read(Bytes(file.text()).substr(0, file.text().size() - 3));
  EXPECT_EQ(cut.end.ending, Ending::kTorn);
}

// Redis executes the whole commands of a group that is not finished, cuts off the rest, and goes on there.
TEST(AofReader, WhatAnotherServerWroteBehindAnUnfinishedGroupIsTaken) {
  FileText file;
  file.file_line().group({1}, 0).group({2, 3, 4}, 1);
  const size_t begin = file.end_of_group(0) + kAofGroupLineBytes;
  const std::string select = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";
  for (size_t whole = 0; whole < 3; ++whole) {
    for (const size_t filler_bytes : {1u, 1000u}) {  // less and more than what is missing of the group
      std::string text = file.text().substr(0, begin + whole * command_text(2).size()) + select;
      Buffer more;
      append_numbered(more, 5, filler_bytes);
      text += more.bytes();
      std::vector<uint64_t> expected = {1};
      for (uint64_t number = 2; number < 2 + whole; ++number) expected.push_back(number);
      expected.push_back(5);
      const ReadLog log = read(text);
      EXPECT_EQ(log.numbers, expected) << whole;
      EXPECT_EQ(log.end.ending, Ending::kComplete);
      EXPECT_EQ(log.end.offset, text.size());
      // We go on with groups, the first under the number of the unfinished one.
      char line[kAofGroupLineBytes];
      write_aof_group_line(line, kSalt, 2, 1, command_text(6));
      const std::string ours = text + std::string(line, sizeof line) + command_text(6);
      expected.push_back(6);
      EXPECT_EQ(read(ours).numbers, expected) << whole;
      EXPECT_EQ(read(ours).end.ending, Ending::kComplete);
      EXPECT_EQ(read(ours).resume.last_sequence, 2u);
      EXPECT_EQ(read(text.substr(0, text.size() - 1)).end.ending, Ending::kTorn);
    }
  }
}

// A broken group is one as long as nothing shows that another server took it over.
TEST(AofReader, OnlyAnotherServerTakesAGroupOver) {
  const auto read_behind = [](Bytes behind) {
    FileText file;
    file.file_line().group({1}, 0).group({2, 3}, 1);
    std::string text = file.text();
    text[text.size() - 5] ^= 1;
    return read(text + std::string(behind));
  };
  const std::string select = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";
  EXPECT_EQ(read_behind(select + command_text(4)).end.ending, Ending::kComplete);
  FileText claimed;
  claimed.claim(2).plain(select).plain(command_text(4));
  const ReadLog damaged = read_behind(claimed.text());
  EXPECT_EQ(damaged.end.ending, Ending::kDamaged);
  EXPECT_EQ(damaged.numbers, std::vector<uint64_t>{1});
  // It may begin with a transaction, which counts if it has its end.
  const std::string transaction = "*1\r\n$5\r\nMULTI\r\n" + select + command_text(4);
  EXPECT_EQ(read_behind(transaction + "*1\r\n$4\r\nEXEC\r\n").end.ending, Ending::kComplete);
  const ReadLog open = read_behind(transaction);
  EXPECT_EQ(open.end.ending, Ending::kTorn);
  EXPECT_EQ(open.numbers, std::vector<uint64_t>{1});
  EXPECT_EQ(read_behind("#TS:1700000001\r\n" + select).end.ending, Ending::kComplete);
  for (const std::string& line : {std::string("####\n"), std::string("#.\n"), "#TS:" + std::string(33, '1') + "\r\n"}) {
    const ReadLog log = read_behind(line + select);
    EXPECT_EQ(log.end.ending, Ending::kTorn) << line;
    EXPECT_EQ(log.numbers, std::vector<uint64_t>{1}) << line;
  }
  for (const std::string ours : {"*2\r\n$6\r\nselect\r\n$1\r\n0\r\n", ""}) {
    EXPECT_EQ(read_behind(ours + command_text(4)).end.ending, Ending::kTorn);
  }
}

TEST(AofReader, HostileFilesEndInAWord) {
  EXPECT_EQ(read("hello").end.ending, Ending::kDamaged);
  EXPECT_EQ(read("*0\r\n").end.ending, Ending::kDamaged);
  EXPECT_EQ(read("*-1\r\n").end.ending, Ending::kDamaged);
  EXPECT_EQ(read("*1\r\n$-1\r\n").end.ending, Ending::kDamaged);
  EXPECT_EQ(read("*1\r\n$281474976710655\r\nx").end.ending, Ending::kTorn);
  EXPECT_EQ(read("*999999999\r\n").end.ending, Ending::kTorn);
  EXPECT_EQ(read(std::string(5000, '#')).end.ending, Ending::kDamaged);
  EXPECT_EQ(read("#LG:" + std::string(80, 'f')).end.ending, Ending::kDamaged);
  FileText two;
  two.file_line().file_line();
  EXPECT_EQ(read(two.text()).end.ending, Ending::kDamaged);
  FileText beyond;
  beyond.file_line().raw_group(Bytes(command_text(1)).substr(0, 12), 0);
  EXPECT_EQ(read(beyond.text()).end.ending, Ending::kDamaged);
}

}  // namespace
}  // namespace larder
