#include "base/sha1.h"

#include <bit>
#include <cstring>

#include "base/assert.h"

namespace larder {
namespace {

using State = std::array<uint32_t, 5>;

uint32_t load_big_endian(const uint8_t* at) {
  return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | uint32_t{at[3]};
}

void mix_block(State& state, const uint8_t* block) {
  uint32_t words[80];
  for (size_t i = 0; i < 16; ++i) words[i] = load_big_endian(block + 4 * i);
  for (size_t i = 16; i < 80; ++i) {
    words[i] = std::rotl(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
  }
  auto [a, b, c, d, e] = state;
  for (size_t i = 0; i < 80; ++i) {
    uint32_t mixed;
    if (i < 20) {
      mixed = ((b & c) | (~b & d)) + 0x5a827999;
    } else if (i < 40) {
      mixed = (b ^ c ^ d) + 0x6ed9eba1;
    } else if (i < 60) {
      mixed = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    } else {
      mixed = (b ^ c ^ d) + 0xca62c1d6;
    }
    const uint32_t next = std::rotl(a, 5) + mixed + e + words[i];
    e = d;
    d = c;
    c = std::rotl(b, 30);
    b = a;
    a = next;
  }
  state = {state[0] + a, state[1] + b, state[2] + c, state[3] + d, state[4] + e};
}

}  // namespace

void Sha1::add(Bytes blocks) {
  LARDER_ASSERT(blocks.size() % kBlockBytes == 0);
  const auto* at = reinterpret_cast<const uint8_t*>(blocks.data());
  for (size_t left = blocks.size(); left > 0; left -= kBlockBytes, at += kBlockBytes) mix_block(state_, at);
  added_bytes_ += blocks.size();
}

std::array<uint8_t, 20> Sha1::finish(Bytes rest) {
  const size_t left = rest.size() % kBlockBytes;
  add(rest.substr(0, rest.size() - left));
  // What is left, a one bit, zeros, and the length in bits at the end of the last block.
  uint8_t tail[2 * kBlockBytes] = {};
  if (left > 0) std::memcpy(tail, rest.data() + rest.size() - left, left);
  tail[left] = 0x80;
  const size_t tail_bytes = left + 9 <= kBlockBytes ? kBlockBytes : 2 * kBlockBytes;
  const uint64_t bits = (added_bytes_ + left) * 8;
  for (size_t i = 0; i < 8; ++i) tail[tail_bytes - 1 - i] = static_cast<uint8_t>(bits >> (8 * i));
  for (size_t offset = 0; offset < tail_bytes; offset += kBlockBytes) mix_block(state_, tail + offset);

  std::array<uint8_t, 20> digest;
  for (size_t i = 0; i < 20; ++i) digest[i] = static_cast<uint8_t>(state_[i / 4] >> (24 - 8 * (i % 4)));
  return digest;
}

std::array<uint8_t, 20> sha1(Bytes text) { return Sha1().finish(text); }

std::string sha1_hex(Bytes text) {
  const auto digest = sha1(text);
  return to_hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

}  // namespace larder
