#include "storage/bit_array.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/assert.h"

namespace larder {
namespace {

constexpr size_t kWordBytes = sizeof(uint64_t);

uint64_t load_word(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

// The word whose highest bit is the first one of the eight bytes.
uint64_t load_big_endian(const char* at) {
  const uint64_t word = load_word(at);
  return std::endian::native == std::endian::little ? __builtin_bswap64(word) : word;
}

// The same of up to eight bytes, with zeros behind them.
uint64_t load_big_endian(Bytes bytes) {
  char padded[kWordBytes] = {};
  if (!bytes.empty()) std::memcpy(padded, bytes.data(), std::min(bytes.size(), kWordBytes));
  return load_big_endian(padded);
}

// Four sums, because each addition waits for the one before it.
[[gnu::always_inline]] inline uint64_t count_words(const char* at, size_t words) {
  uint64_t first = 0;
  uint64_t second = 0;
  uint64_t third = 0;
  uint64_t fourth = 0;
  for (; words >= 4; words -= 4, at += 4 * kWordBytes) {
    first += static_cast<uint64_t>(std::popcount(load_word(at)));
    second += static_cast<uint64_t>(std::popcount(load_word(at + kWordBytes)));
    third += static_cast<uint64_t>(std::popcount(load_word(at + 2 * kWordBytes)));
    fourth += static_cast<uint64_t>(std::popcount(load_word(at + 3 * kWordBytes)));
  }
  for (; words > 0; words--, at += kWordBytes) first += static_cast<uint64_t>(std::popcount(load_word(at)));
  return first + second + third + fourth;
}

#if defined(__x86_64__) && !defined(__POPCNT__)
// The baseline of x86-64 has no instruction for it, every machine since 2008 does: 8 times as fast.
[[gnu::target("popcnt")]] uint64_t count_words_by_instruction(const char* at, size_t words) {
  return count_words(at, words);
}
uint64_t count_words_here(const char* at, size_t words) {
  static const bool kHasInstruction = __builtin_cpu_supports("popcnt") != 0;
  return kHasInstruction ? count_words_by_instruction(at, words) : count_words(at, words);
}
#else
uint64_t count_words_here(const char* at, size_t words) { return count_words(at, words); }
#endif

// All bits of a word but the first `count`.
uint64_t mask_behind(uint64_t count) { return count >= 64 ? 0 : ~uint64_t{0} >> count; }

}  // namespace

// ---- Counting and finding

uint64_t count_bits(Bytes bytes) {
  const size_t words = bytes.size() / kWordBytes;
  const uint64_t tail = load_big_endian(bytes.substr(words * kWordBytes));
  return count_words_here(bytes.data(), words) + static_cast<uint64_t>(std::popcount(tail));
}

uint64_t count_bits(Bytes bytes, uint64_t first, uint64_t end) {
  LARDER_ASSERT(first <= end && end <= 8 * uint64_t{bytes.size()});
  if (first == end) return 0;
  const uint64_t first_byte = first / 8;
  const uint64_t last_byte = (end - 1) / 8;
  uint64_t count = count_bits(bytes.substr(first_byte, last_byte - first_byte + 1));
  // What was counted too much at both ends.
  const auto head = static_cast<uint8_t>(bytes[first_byte]);
  const auto tail = static_cast<uint8_t>(bytes[last_byte]);
  count -= static_cast<uint64_t>(std::popcount(static_cast<uint8_t>(head & ~(0xff >> (first % 8)))));
  count -= static_cast<uint64_t>(std::popcount(static_cast<uint8_t>(tail & (0xff >> ((end - 1) % 8 + 1)))));
  return count;
}

uint64_t find_bit(Bytes bytes, bool wanted, uint64_t first, uint64_t end) {
  LARDER_ASSERT(first <= end && end <= 8 * uint64_t{bytes.size()});
  const uint64_t flip = wanted ? 0 : ~uint64_t{0};  // then the search is always for a bit that is set
  uint64_t at = first / 8;
  const uint64_t bytes_end = (end + 7) / 8;
  // The first word alone has bits in front that do not count.
  uint64_t ignored = first % 8;
  for (; at + kWordBytes <= bytes_end; at += kWordBytes, ignored = 0) {
    const uint64_t word = (load_big_endian(bytes.data() + at) ^ flip) & mask_behind(ignored);
    if (word != 0) return std::min(at * 8 + static_cast<uint64_t>(std::countl_zero(word)), end);
    while (at + 5 * kWordBytes <= bytes_end) {
      const char* next = bytes.data() + at + kWordBytes;
      const uint64_t any = (load_word(next) ^ flip) | (load_word(next + kWordBytes) ^ flip) |
                           (load_word(next + 2 * kWordBytes) ^ flip) | (load_word(next + 3 * kWordBytes) ^ flip);
      if (any != 0) break;
      at += 4 * kWordBytes;
    }
  }
  if (at >= bytes_end) return end;
  const uint64_t word = (load_big_endian(bytes.substr(at, bytes_end - at)) ^ flip) & mask_behind(ignored);
  return word == 0 ? end : std::min(at * 8 + static_cast<uint64_t>(std::countl_zero(word)), end);
}

// ---- Single bits and fields

bool read_bit(Bytes bytes, uint64_t offset) {
  const uint64_t at = offset / 8;
  return at < bytes.size() && ((static_cast<uint8_t>(bytes[at]) >> (7 - offset % 8)) & 1) != 0;
}

void write_bit(char* bytes, uint64_t offset, bool value) {
  const auto mask = static_cast<uint8_t>(0x80 >> (offset % 8));
  auto byte = static_cast<uint8_t>(bytes[offset / 8]);
  byte = value ? byte | mask : byte & static_cast<uint8_t>(~mask);
  bytes[offset / 8] = static_cast<char>(byte);
}

uint64_t read_bit_field(Bytes bytes, uint64_t offset, unsigned width) {
  const uint64_t at = offset / 8;
  if (at >= bytes.size()) return 0;
  const unsigned ignored = static_cast<unsigned>(offset % 8);
  const Bytes from = bytes.substr(at);
  const uint64_t word = from.size() >= kWordBytes ? load_big_endian(from.data()) : load_big_endian(from);
  // A field may reach into a ninth byte.
  const unsigned in_word = std::min(width, 64 - ignored);
  uint64_t value = (word << ignored) >> (64 - in_word);
  if (width > in_word) {
    const unsigned missing = width - in_word;
    const uint8_t ninth = from.size() > kWordBytes ? static_cast<uint8_t>(from[kWordBytes]) : uint8_t{0};
    value = (value << missing) | static_cast<uint64_t>(ninth >> (8 - missing));
  }
  return value;
}

void write_bit_field(char* bytes, uint64_t offset, unsigned width, uint64_t value) {
  // Byte by byte: at most nine, and none behind the field is touched.
  uint64_t at = offset;
  for (unsigned left = width; left > 0;) {
    const unsigned in_byte = static_cast<unsigned>(at % 8);
    const unsigned taken = std::min(left, 8 - in_byte);
    const unsigned shift = 8 - in_byte - taken;
    const unsigned mask = ((1U << taken) - 1) << shift;
    const auto part = static_cast<unsigned>(value >> (left - taken)) << shift;
    auto* byte = reinterpret_cast<uint8_t*>(bytes + at / 8);
    *byte = static_cast<uint8_t>((*byte & ~mask) | (part & mask));
    at += taken;
    left -= taken;
  }
}

// ---- Combining

namespace {

// What every machine's vector instructions take at once. Said to the compiler, which at -O2 finds it by itself only where
// nothing can overlap.
using Lane = uint64_t __attribute__((vector_size(16)));

// So much at once that the sums stay in the first cache, whatever the number of sources.
struct Block {
  static constexpr size_t kLanes = 32;
  static constexpr size_t kBytes = kLanes * sizeof(Lane);
  Lane lanes[kLanes];
};

Lane load_lane(const char* at) {
  Lane lane;
  std::memcpy(&lane, at, sizeof(lane));
  return lane;
}

// A source's bytes of one block: where they lie if all are there, else a copy filled up with zeros.
const char* source_block(Bytes source, size_t offset, Block* copy) {
  if (source.size() >= offset + Block::kBytes) return source.data() + offset;
  *copy = {};
  if (source.size() > offset) std::memcpy(copy->lanes, source.data() + offset, source.size() - offset);
  return reinterpret_cast<const char*>(copy->lanes);
}

// step(lane of `into`, lane of `source`) for all lanes.
template <class Step>
void for_each_lane(Block& into, const char* source, Step step) {
  for (size_t i = 0; i < Block::kLanes; i++) step(into.lanes[i], load_lane(source + i * sizeof(Lane)));
}

void or_into(Block& into, const char* source) {
  for_each_lane(into, source, [](Lane& lane, const Lane& other) { lane |= other; });
}

// One block of the operations that combine the first source with the union of the others.
template <class Combine>
void combine_with_union(std::span<const Bytes> sources, size_t offset, Block& result, Combine combine) {
  Block copy;
  Block any = {};
  for (const Bytes source : sources.subspan(1)) or_into(any, source_block(source, offset, &copy));
  for_each_lane(result, reinterpret_cast<const char*>(any.lanes), combine);
}

// `result` gets what is set in one source, and loses what is set in two.
void combine_one(std::span<const Bytes> sources, size_t offset, Block& result) {
  Block copy;
  Block twice = {};
  for (const Bytes source : sources.subspan(1)) {
    const char* block = source_block(source, offset, &copy);
    for (size_t i = 0; i < Block::kLanes; i++) {
      const Lane lane = load_lane(block + i * sizeof(Lane));
      twice.lanes[i] |= result.lanes[i] & lane;
      result.lanes[i] |= lane;
    }
  }
  for_each_lane(result, reinterpret_cast<const char*>(twice.lanes),
                [](Lane& lane, const Lane& other) { lane &= ~other; });
}

template <class Step>
void combine_each(std::span<const Bytes> sources, size_t offset, Block& result, Step step) {
  Block copy;
  for (const Bytes source : sources.subspan(1)) for_each_lane(result, source_block(source, offset, &copy), step);
}

void combine_block(BitOperation operation, std::span<const Bytes> sources, size_t offset, Block& result) {
  switch (operation) {
    case BitOperation::kAnd:
      return combine_each(sources, offset, result, [](Lane& lane, const Lane& other) { lane &= other; });
    case BitOperation::kOr:
      return combine_each(sources, offset, result, [](Lane& lane, const Lane& other) { lane |= other; });
    case BitOperation::kXor:
      return combine_each(sources, offset, result, [](Lane& lane, const Lane& other) { lane ^= other; });
    case BitOperation::kNot:
      for (Lane& lane : result.lanes) lane = ~lane;
      return;
    case BitOperation::kDiff:
      return combine_with_union(sources, offset, result, [](Lane& lane, const Lane& any) { lane &= ~any; });
    case BitOperation::kDiffOne:
      return combine_with_union(sources, offset, result, [](Lane& lane, const Lane& any) { lane = any & ~lane; });
    case BitOperation::kAndOr:
      return combine_with_union(sources, offset, result, [](Lane& lane, const Lane& any) { lane &= any; });
    case BitOperation::kOne:
      return combine_one(sources, offset, result);
  }
}

}  // namespace

void combine_bits(BitOperation operation, std::span<const Bytes> sources, char* out, size_t size) {
  LARDER_ASSERT(!sources.empty());
  Block result;
  for (size_t offset = 0; offset < size; offset += Block::kBytes) {
    Block copy;
    std::memcpy(result.lanes, source_block(sources[0], offset, &copy), Block::kBytes);
    combine_block(operation, sources, offset, result);
    std::memcpy(out + offset, result.lanes, std::min(size - offset, Block::kBytes));
  }
}

}  // namespace larder
