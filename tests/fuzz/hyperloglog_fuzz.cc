// Sketches from outside: a header and runs or registers out of the input, made whole so that many are valid, then worked
// on. Damaged ones are refused; good ones change as a plain array of registers says.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.h"
#include "storage/hyperloglog.h"

namespace {

using namespace larder;

constexpr size_t kSparseBytesMax = 3000;

// The registers that a run at `byte` covers, and its length in bytes.
size_t registers_of_run(uint8_t byte, uint8_t next, size_t* bytes) {
  *bytes = (byte & 0xc0) == 0x40 ? 2 : 1;
  if ((byte & 0xc0) == 0) return (byte & 0x3f) + 1u;
  if ((byte & 0xc0) == 0x40) return ((byte & 0x3fu) << 8 | next) + 1u;
  return (byte & 3) + 1u;
}

// Cuts the runs where all registers are covered, or adds zeros up to there.
void make_whole(std::string& runs) {
  size_t covered = 0;
  size_t at = 0;
  while (at < runs.size()) {
    size_t bytes;
    const auto next = static_cast<uint8_t>(at + 1 < runs.size() ? runs[at + 1] : 0);
    const size_t registers = registers_of_run(static_cast<uint8_t>(runs[at]), next, &bytes);
    if (covered + registers > kHllRegisters || at + bytes > runs.size()) break;
    covered += registers;
    at += bytes;
  }
  runs.resize(at);
  if (covered == kHllRegisters) return;
  const size_t zeros = kHllRegisters - covered - 1;
  runs.push_back(static_cast<char>(0x40 | zeros >> 8));
  runs.push_back(static_cast<char>(zeros));
}

std::string sketch_of(Bytes input) {
  const auto mode = static_cast<uint8_t>(input[0]);
  std::string body(input.substr(1));
  if (mode % 4 == 1) {
    body.resize(kHllDenseBytes - kHllHeaderBytes, static_cast<char>(mode));
  } else if (mode % 4 == 2) {
    make_whole(body);
  }
  std::string sketch = "HYLL";
  sketch.push_back(mode % 4 == 1 ? 0 : 1);
  sketch.append(kHllHeaderBytes - sketch.size(), mode % 8 < 4 ? '\xff' : '\0');
  return sketch + body;
}

void raise_all(HyperLogLog sketch, Bytes input) {
  HllRegisters model{};
  if (!HyperLogLog::merge_into(sketch.bytes(), &model)) return;
  for (size_t i = 0; i + 2 < input.size() && i < 96; i += 3) {
    const uint32_t index = (static_cast<uint8_t>(input[i]) * 256u + static_cast<uint8_t>(input[i + 1])) % kHllRegisters;
    const auto value = static_cast<uint8_t>(1 + static_cast<uint8_t>(input[i + 2]) % 50);
    const auto result = sketch.raise(index, value, kSparseBytesMax);
    LARDER_ASSERT(result == (model[index] < value ? HyperLogLog::Result::kChanged : HyperLogLog::Result::kUnchanged));
    model[index] = std::max(model[index], value);
  }
  HllRegisters now{};
  const bool merged = HyperLogLog::merge_into(sketch.bytes(), &now);
  LARDER_ASSERT(merged && now == model && HyperLogLog::is_valid(sketch.bytes()));
  sketch.forget_count();
  uint64_t counted;
  const bool countable = sketch.count(&counted);
  LARDER_ASSERT(countable && counted == hll_cardinality(model));
  const bool dense = sketch.make_dense();
  HllRegisters spread{};
  const bool still = dense && HyperLogLog::merge_into(sketch.bytes(), &spread);
  LARDER_ASSERT(still && spread == model);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 20'000) return 0;
  const Bytes input(reinterpret_cast<const char*>(data), size);
  const std::string sketch = sketch_of(input);
  if (!HyperLogLog::is_valid(sketch)) return 0;
  HyperLogLog added(sketch);
  uint64_t count;
  std::string runs;
  (void)added.count(&count);
  if (added.is_sparse()) (void)added.describe_runs(&runs);
  (void)added.add(input, kSparseBytesMax);
  (void)added.make_dense();
  raise_all(HyperLogLog(sketch), input);
  return 0;
}
