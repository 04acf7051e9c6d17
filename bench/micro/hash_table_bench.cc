// The hash table and the keyspace on it: cost of each operation by table size, bytes an entry by item count, and the
// longest single step while growing. Keys are 16 bytes, values 8.
//
//   micro_hash_table --benchmark_filter='find|staged'
//   micro_hash_table --benchmark_filter=fill             bytes per entry at many counts
//   micro_hash_table --benchmark_filter=longest_insert   worst step of growth to 10 and 50 million keys
//   micro_hash_table --benchmark_filter=-50000000        all but the largest size
//
// The cases that read run size by size, so that each store is filled once. Fifty million keys take 2.2 GB and some minutes; where the
// machine has less left, a case says so and is left out.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "storage/keyspace.h"
#include "storage/string_value.h"

namespace larder {
namespace {

constexpr int64_t kNowMs = 1'700'000'000'000;
constexpr size_t kKeyBytes = 16;
constexpr size_t kBatch = 32;
constexpr size_t kDrawnMask = (1u << 20) - 1;
constexpr size_t kBytesPerKey = 48;  // 43, and what the allocator holds back
constexpr Bytes kValue = "value-08";

// Key number `number`, in 16 bytes.
struct KeyText {
  explicit KeyText(uint64_t number) {
    char digits[32];
    std::snprintf(digits, sizeof(digits), "key:%012llu", static_cast<unsigned long long>(number));
    std::copy_n(digits, kKeyBytes, text);
  }
  Bytes bytes() const { return {text, kKeyBytes}; }
  char text[kKeyBytes];
};

std::unique_ptr<Store> new_store() {
  StoreOptions options;
  options.database_count = 1;
  options.hash_seed = 12345;
  auto store = std::make_unique<Store>(options);
  store->set_now(kNowMs);
  return store;
}

void fill(Store& store, uint64_t begin, uint64_t end) {
  for (uint64_t i = begin; i < end; i++) {
    const KeyText key(i);
    store.database(0).assign_string(store.hashed(key.bytes()), kValue, DeadlineRule::none(), kNowMs);
  }
}

// What the machine can still give; without end where it does not tell.
uint64_t available_bytes() {
  std::ifstream meminfo("/proc/meminfo");
  std::string word;
  while (meminfo >> word) {
    uint64_t kilobytes = 0;
    if (word == "MemAvailable:" && meminfo >> kilobytes) return kilobytes * 1024;
  }
  return UINT64_MAX;
}

// Whether so many keys fit into memory; if not, the case is left out.
bool has_room(benchmark::State& state, uint64_t count) {
  if (count * kBytesPerKey <= available_bytes()) return true;
  state.SkipWithError((std::to_string(count * kBytesPerKey >> 20) + " MiB of memory are not there").c_str());
  return false;
}

// Filled for the cases of one size that read, and kept until those of another. nullptr if there is no room for it.
Store* filled_store(benchmark::State& state, uint64_t count) {
  static std::unique_ptr<Store> store;
  static uint64_t filled_count = 0;
  if (store && filled_count == count) return store.get();
  store.reset();
  if (!has_room(state, count)) return nullptr;
  store = new_store();
  fill(*store, 0, count);
  filled_count = count;
  return store.get();
}

// Processor time of this thread: a busy machine's pauses are not the table's.
double thread_us() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

// Numbers drawn beforehand, so that drawing and printing are not measured.
std::vector<KeyText> random_keys(uint64_t begin, uint64_t count) {
  Random random(1);
  std::vector<KeyText> keys;
  for (size_t i = 0; i <= kDrawnMask; i++) keys.emplace_back(begin + random.uniform(count));
  return keys;
}

void bm_find(benchmark::State& state, bool hit) {
  const auto count = static_cast<uint64_t>(state.range(0));
  Store* store = filled_store(state, count);
  if (store == nullptr) return;
  const std::vector<KeyText> keys = random_keys(hit ? 0 : count, count);
  size_t at = 0;
  for (auto _ : state) {
    const HashedKey key = store->hashed(keys[at++ & kDrawnMask].bytes());
    benchmark::DoNotOptimize(store->database(0).find(key, kNowMs));
  }
  state.SetItemsProcessed(state.iterations());
}

// The time of one key of a batch. Printed with its unit.
void count_per_key(benchmark::State& state) {
  state.counters["per_key"] = benchmark::Counter(static_cast<double>(state.iterations()) * kBatch,
                                                 benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

// As the tick does it: hash all keys of a batch, then their buckets, then their entries, then the look-ups.
void bm_staged_find(benchmark::State& state, bool hit) {
  const auto count = static_cast<uint64_t>(state.range(0));
  Store* store = filled_store(state, count);
  if (store == nullptr) return;
  Keyspace& keyspace = store->database(0);
  const std::vector<KeyText> keys = random_keys(hit ? 0 : count, count);
  size_t at = 0;
  HashedKey batch[kBatch];
  for (auto _ : state) {
    for (HashedKey& key : batch) {
      key = store->hashed(keys[at++ & kDrawnMask].bytes());
      keyspace.prefetch_bucket(key.hash);
    }
    for (const HashedKey& key : batch) keyspace.prefetch_entry(key.hash);
    for (const HashedKey& key : batch) benchmark::DoNotOptimize(keyspace.find(key, kNowMs));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(kBatch));
  count_per_key(state);
}

void bm_staged_overwrite(benchmark::State& state) {
  const auto count = static_cast<uint64_t>(state.range(0));
  Store* store = filled_store(state, count);
  if (store == nullptr) return;
  Keyspace& keyspace = store->database(0);
  const std::vector<KeyText> keys = random_keys(0, count);
  size_t at = 0;
  HashedKey batch[kBatch];
  for (auto _ : state) {
    for (HashedKey& key : batch) {
      key = store->hashed(keys[at++ & kDrawnMask].bytes());
      keyspace.prefetch_bucket(key.hash);
    }
    for (const HashedKey& key : batch) keyspace.prefetch_entry(key.hash);
    for (const HashedKey& key : batch) keyspace.assign_string(key, "value-09", DeadlineRule::none(), kNowMs);
  }
  count_per_key(state);
}

void bm_insert_then_erase(benchmark::State& state) {
  const auto count = static_cast<uint64_t>(state.range(0));
  if (!has_room(state, count)) return;
  double insert_ns = 0;
  double erase_ns = 0;
  for (auto _ : state) {
    const std::unique_ptr<Store> store = new_store();
    const double begin_us = thread_us();
    fill(*store, 0, count);
    const double middle_us = thread_us();
    for (uint64_t i = 0; i < count; i++) {
      const KeyText key(i);
      store->database(0).erase(store->hashed(key.bytes()), kNowMs);
    }
    insert_ns += (middle_us - begin_us) * 1e3;
    erase_ns += (thread_us() - middle_us) * 1e3;
  }
  const double operations = static_cast<double>(state.iterations()) * static_cast<double>(count);
  state.counters["insert_ns"] = insert_ns / operations;  // printing the key included: about 90 ns
  state.counters["erase_ns"] = erase_ns / operations;
}

// Bytes of table and of everything, an entry, at counts between and beyond doublings.
void bm_fill(benchmark::State& state) {
  const auto count = static_cast<uint64_t>(state.range(0));
  if (!has_room(state, count)) return;
  for (auto _ : state) {
    const std::unique_ptr<Store> store = new_store();
    fill(*store, 0, count);
    const auto items = static_cast<double>(count);
    state.counters["table_bytes"] = static_cast<double>(store->table_account().bytes) / items;
    state.counters["all_bytes"] = static_cast<double>(store->memory_bytes()) / items;
  }
}

void bm_longest_insert(benchmark::State& state) {
  const auto count = static_cast<uint64_t>(state.range(0));
  if (!has_room(state, count)) return;
  for (auto _ : state) {
    const std::unique_ptr<Store> store = new_store();
    std::vector<double> longest_us;
    for (uint64_t i = 0; i < count; i++) {
      const KeyText text(i);
      const HashedKey key = store->hashed(text.bytes());
      const double begin_us = thread_us();
      store->database(0).assign_string(key, kValue, DeadlineRule::none(), kNowMs);
      const double took_us = thread_us() - begin_us;
      if (took_us > 5) longest_us.push_back(took_us);
    }
    std::sort(longest_us.rbegin(), longest_us.rend());
    longest_us.resize(std::max<size_t>(longest_us.size(), 100));
    state.counters["longest_us"] = longest_us[0];
    state.counters["tenth_us"] = longest_us[9];
    state.counters["hundredth_us"] = longest_us[99];
    const HashTableAccount& account = store->table_account();
    state.counters["splits"] = static_cast<double>(account.splits);
    state.counters["grows"] = static_cast<double>(account.grows);
    state.counters["rehashes"] = static_cast<double>(account.rehashes);
  }
}

void bm_expire(benchmark::State& state) {
  const auto count = static_cast<uint64_t>(state.range(0));
  double index_bytes = 0;
  double expire_ns = 0;
  for (auto _ : state) {
    const std::unique_ptr<Store> store = new_store();
    Keyspace& keyspace = store->database(0);
    Random random(3);
    for (uint64_t i = 0; i < count; i++) {
      const KeyText text(i);
      const auto ttl_ms = static_cast<int64_t>(1 + random.uniform(60000));
      keyspace.assign_string(store->hashed(text.bytes()), kValue, DeadlineRule::at(kNowMs + ttl_ms), kNowMs);
    }
    index_bytes = static_cast<double>(keyspace.expiry_index().bytes_allocated()) / static_cast<double>(count);
    const double begin_us = thread_us();
    for (int64_t now_ms = kNowMs; keyspace.size() > 0; now_ms++) keyspace.advance_expiry(now_ms, SIZE_MAX);
    expire_ns += (thread_us() - begin_us) * 1e3;
  }
  state.counters["index_bytes"] = index_bytes;
  state.counters["expire_ns"] = expire_ns / static_cast<double>(state.iterations()) / static_cast<double>(count);
}

[[maybe_unused]] const bool kReadersRegistered = [] {
  for (const int64_t count : {1'000, 100'000, 1'000'000, 10'000'000, 50'000'000}) {
    benchmark::RegisterBenchmark("bm_find/hit", bm_find, true)->Arg(count);
    benchmark::RegisterBenchmark("bm_find/miss", bm_find, false)->Arg(count);
    benchmark::RegisterBenchmark("bm_staged_find/hit", bm_staged_find, true)->Arg(count);
    benchmark::RegisterBenchmark("bm_staged_find/miss", bm_staged_find, false)->Arg(count);
    benchmark::RegisterBenchmark("bm_staged_overwrite", bm_staged_overwrite)->Arg(count);
  }
  return true;
}();

BENCHMARK(bm_insert_then_erase)->Arg(1'000)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(bm_insert_then_erase)->Iterations(1)->Arg(10'000'000)->Arg(50'000'000)->Unit(benchmark::kMillisecond);
BENCHMARK(bm_fill)
    ->Iterations(1)
    ->DenseRange(1'000'000, 2'000'000, 100'000)
    ->Arg(10'000'000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(bm_longest_insert)
    ->Iterations(1)
    ->Arg(2'000'000)
    ->Arg(10'000'000)
    ->Arg(50'000'000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(bm_expire)->Iterations(1)->Arg(1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace larder
