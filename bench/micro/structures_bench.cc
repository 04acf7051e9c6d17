// The structures of collections, each by its size: the counted B+ tree of sorted sets, hash and set tables, the tree of
// stream IDs, packed sequences, and the index of deadlines.
//
//   micro_structures --benchmark_filter=zset
//   micro_structures --benchmark_filter='packed|stream'
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "storage/expiry_index.h"
#include "storage/hash_structure.h"
#include "storage/listpack.h"
#include "storage/set_structure.h"
#include "storage/stream_id_tree.h"
#include "storage/zset_structure.h"

namespace larder {
namespace {

constexpr int64_t kNowMs = 1'700'000'000'000;
constexpr uint64_t kDrawnMask = (1u << 16) - 1;

// What structures are made from, outside of a store.
struct Memory {
  BlockAllocator blocks;
  HashTableAccount tables;
  StructureResources resources{blocks, tables, 12345};
};

std::string member_name(uint64_t number) {
  const std::string digits = std::to_string(number);
  return "member:" + std::string(9 - digits.size(), '0') + digits;
}

// Members to be asked for, drawn and printed beforehand.
std::vector<std::string> drawn_members(uint64_t count) {
  Random random(1);
  std::vector<std::string> members;
  for (uint64_t i = 0; i <= kDrawnMask; i++) members.push_back(member_name(random.uniform(count)));
  return members;
}

void sizes(benchmark::internal::Benchmark* benchmark) {
  for (const int64_t count : {1'000, 100'000, 1'000'000}) benchmark->Arg(count);
}

// ---- Sorted sets

struct FilledZset {
  explicit FilledZset(uint64_t count) : zset(memory.resources) {
    Random random(2);
    for (uint64_t i = 0; i < count; i++) {
      const std::string name = member_name(i);
      zset.insert(zset.hashed(name), static_cast<double>(random.uniform(1u << 30)));
    }
  }
  Memory memory;
  ZsetStructure zset;
};

void bm_zset_set_score(benchmark::State& state) {
  FilledZset filled(static_cast<uint64_t>(state.range(0)));
  const std::vector<std::string> names = drawn_members(static_cast<uint64_t>(state.range(0)));
  Random random(3);
  uint64_t at = 0;
  for (auto _ : state) {
    ZsetMember* member = filled.zset.find(names[at++ & kDrawnMask]);
    filled.zset.set_score(member, static_cast<double>(random.uniform(1u << 30)));
  }
  state.counters["bytes"] = static_cast<double>(filled.zset.memory_bytes()) / static_cast<double>(state.range(0));
}

void bm_zset_rank(benchmark::State& state) {
  FilledZset filled(static_cast<uint64_t>(state.range(0)));
  const std::vector<std::string> names = drawn_members(static_cast<uint64_t>(state.range(0)));
  uint64_t at = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(filled.zset.tree().rank_of(filled.zset.find(names[at++ & kDrawnMask])));
  }
}

// A hundred members from a rank drawn at random.
void bm_zset_walk_100(benchmark::State& state) {
  FilledZset filled(static_cast<uint64_t>(state.range(0)));
  Random random(4);
  for (auto _ : state) {
    const uint64_t rank = random.uniform(static_cast<uint64_t>(state.range(0)) - 100);
    double sum = 0;
    filled.zset.tree().visit(rank, 100, false, [&](const ZsetMember* member) { sum += member->score(); });
    benchmark::DoNotOptimize(sum);
  }
}

void bm_zset_insert_remove(benchmark::State& state) {
  FilledZset filled(static_cast<uint64_t>(state.range(0)));
  Random random(5);
  const std::string name = "one that comes and goes";
  for (auto _ : state) {
    filled.zset.insert(filled.zset.hashed(name), static_cast<double>(random.uniform(1u << 30)));
    filled.zset.remove(filled.zset.find(name));
  }
}

// ---- Sets and hashes

void bm_set_contains(benchmark::State& state) {
  Memory memory;
  SetStructure set(memory.resources, SetForm::kHashtable);
  for (int64_t i = 0; i < state.range(0); i++) set.add(member_name(static_cast<uint64_t>(i)));
  const std::vector<std::string> names = drawn_members(static_cast<uint64_t>(state.range(0)));
  uint64_t at = 0;
  for (auto _ : state) benchmark::DoNotOptimize(set.contains(names[at++ & kDrawnMask]));
  state.counters["bytes"] = static_cast<double>(set.memory_bytes()) / static_cast<double>(state.range(0));
}

void bm_hash_set(benchmark::State& state) {
  Memory memory;
  HashStructure hash(memory.resources, true);
  for (int64_t i = 0; i < state.range(0); i++) {
    hash.set({member_name(static_cast<uint64_t>(i)), "value:0000000000", kNoDeadline}, kNowMs);
  }
  const std::vector<std::string> names = drawn_members(static_cast<uint64_t>(state.range(0)));
  uint64_t at = 0;
  for (auto _ : state) hash.set({names[at++ & kDrawnMask], "value:0000000001", kNoDeadline}, kNowMs);
  state.counters["bytes"] = static_cast<double>(hash.memory_bytes()) / static_cast<double>(state.range(0));
}

// ---- Streams

void bm_stream_tree_append(benchmark::State& state) {
  Memory memory;
  StreamMemory stream(memory.blocks);
  StreamIdTree<uint64_t> tree(stream);
  uint64_t ms = 0;
  for (auto _ : state) tree.insert({++ms, 0}, ms);
  state.counters["bytes"] = static_cast<double>(stream.bytes()) / static_cast<double>(ms);
}

void bm_stream_tree_find(benchmark::State& state) {
  Memory memory;
  StreamMemory stream(memory.blocks);
  StreamIdTree<uint64_t> tree(stream);
  const auto count = static_cast<uint64_t>(state.range(0));
  for (uint64_t ms = 1; ms <= count; ms++) tree.insert({ms, 0}, ms);
  Random random(6);
  for (auto _ : state) benchmark::DoNotOptimize(tree.find({1 + random.uniform(count), 0}));
}

// ---- Packed sequences of elements of 16 bytes, or of numbers

std::string packed_sequence(int64_t count, bool numbers) {
  std::string sequence;
  for (int64_t i = 0; i < count; i++) {
    const PackedText text = numbers ? PackedText(i * 1000) : PackedText(member_name(static_cast<uint64_t>(i)));
    const size_t offset = sequence.size();
    sequence.resize(offset + text.total_bytes());
    text.write(sequence.data() + offset);
  }
  return sequence;
}

// The last one of all, so that the whole sequence is passed.
void bm_packed_find(benchmark::State& state, bool numbers) {
  const std::string sequence = packed_sequence(state.range(0), numbers);
  const std::string last =
      numbers ? std::to_string((state.range(0) - 1) * 1000) : member_name(static_cast<uint64_t>(state.range(0) - 1));
  for (auto _ : state) benchmark::DoNotOptimize(find_packed(sequence, last).at);
  state.counters["bytes"] = static_cast<double>(sequence.size()) / static_cast<double>(state.range(0));
}

void bm_packed_walk(benchmark::State& state) {
  const std::string sequence = packed_sequence(state.range(0), false);
  for (auto _ : state) {
    size_t bytes = 0;
    for (const PackedElement& element : PackedRange(sequence)) bytes += element.bytes.size();
    benchmark::DoNotOptimize(bytes);
  }
}

void bm_packed_validate(benchmark::State& state) {
  const std::string sequence = packed_sequence(state.range(0), false);
  size_t count = 0;
  for (auto _ : state) benchmark::DoNotOptimize(validate_packed(sequence, &count));
}

// ---- Deadlines: each item is added once, within a minute, and taken out when its time comes, filing anew included

void bm_expiry_index(benchmark::State& state) {
  const int64_t count = state.range(0);
  double bytes = 0;
  for (auto _ : state) {
    BlockAllocator blocks;
    ExpiryIndex index(blocks);
    std::vector<int64_t> deadlines(static_cast<size_t>(count));
    Random random(7);
    for (int64_t i = 0; i < count; i++) {
      deadlines[static_cast<size_t>(i)] = kNowMs + 1 + static_cast<int64_t>(random.uniform(60'000));
      index.add(static_cast<uint32_t>(i), deadlines[static_cast<size_t>(i)], kNowMs);
    }
    bytes = static_cast<double>(index.bytes_allocated()) / static_cast<double>(count);
    ExpiryIndex::Batch batch;
    for (int64_t now_ms = kNowMs; index.items() > 0; now_ms++) {
      for (index.take(now_ms, &batch); batch.count > 0; index.take(now_ms, &batch)) {
        for (size_t i = 0; i < batch.count; i++) {
          const int64_t deadline_ms = deadlines[batch.hash_prefixes[i]];
          if (deadline_ms > now_ms) index.add(batch.hash_prefixes[i], deadline_ms, now_ms);
        }
      }
    }
  }
  state.SetItemsProcessed(state.iterations() * count);
  state.counters["bytes"] = bytes;
}

BENCHMARK(bm_zset_set_score)->Apply(sizes);
BENCHMARK(bm_zset_rank)->Apply(sizes);
BENCHMARK(bm_zset_walk_100)->Apply(sizes);
BENCHMARK(bm_zset_insert_remove)->Apply(sizes);
BENCHMARK(bm_set_contains)->Apply(sizes);
BENCHMARK(bm_hash_set)->Apply(sizes);
BENCHMARK(bm_stream_tree_append);
BENCHMARK(bm_stream_tree_find)->Apply(sizes);
BENCHMARK_CAPTURE(bm_packed_find, strings, false)->Arg(8)->Arg(32)->Arg(128);
BENCHMARK_CAPTURE(bm_packed_find, numbers, true)->Arg(8)->Arg(32)->Arg(128);
BENCHMARK(bm_packed_walk)->Arg(8)->Arg(32)->Arg(128);
BENCHMARK(bm_packed_validate)->Arg(8)->Arg(32)->Arg(128);
BENCHMARK(bm_expiry_index)->Apply(sizes)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace larder
