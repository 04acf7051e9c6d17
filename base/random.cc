#include "base/random.h"

#include "base/bytes.h"

namespace larder {

Random::Random(uint64_t seed) {
  // splitmix64, as the generator's authors advise: any seed, also 0, gives a state that is not all zeros.
  for (uint64_t& word : state_) {
    seed += 0x9e3779b97f4a7c15;
    uint64_t mixed = seed;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    word = mixed ^ (mixed >> 31);
  }
}

int64_t Random::between(int64_t low, int64_t high) {
  LARDER_ASSERT(low <= high);
  const uint64_t width = static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1;
  const uint64_t offset = width == 0 ? next() : uniform(width);  // 0: the whole range of the type
  return static_cast<int64_t>(static_cast<uint64_t>(low) + offset);
}

uint64_t os_entropy_u64() {
  uint64_t value = 0;
  os_entropy(&value, sizeof value);
  return value;
}

std::string os_entropy_hex(size_t bytes) {
  std::string raw(bytes, '\0');
  os_entropy(raw.data(), raw.size());
  return to_hex(raw);
}

}  // namespace larder
