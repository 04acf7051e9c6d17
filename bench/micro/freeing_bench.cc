// How long the loop is held while large collections grow and go: the longest single insertion, the longest piece of freeing
// as the server does it between two looks at the clock, and the longest piece of giving memory back to the system.
//
//   micro_freeing                                          ten million elements of each type
//   micro_freeing --benchmark_filter=Zset
//
// Processor time of the thread, so that a busy machine's pauses are not counted; microseconds.
#include <benchmark/benchmark.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>

#include "storage/hash_structure.h"
#include "storage/keyspace.h"
#include "storage/list_structure.h"
#include "storage/set_structure.h"
#include "storage/stream_structure.h"
#include "storage/zset_structure.h"

namespace larder {
namespace {

constexpr int64_t kElements = 10'000'000;
constexpr size_t kElementsPerPiece = 256;   // the server's kFreedEntriesPerLook
constexpr uint64_t kInsertedTogether = 20;  // a look at the clock costs more than an insertion

double thread_us() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) * 1e-3;
}

// The longest of many acts. A virtual machine's own pauses are in the longest; the tenth is free of all but the worst.
class Longest {
 public:
  template <class Act>
  auto time(Act act) {
    const double start_us = thread_us();
    const auto result = act();
    const double taken_us = thread_us() - start_us;
    total_us_ += taken_us;
    if (taken_us > longest_us_[kKept - 1]) {
      longest_us_[kKept - 1] = taken_us;
      std::sort(longest_us_, longest_us_ + kKept, std::greater<>());
    }
    return result;
  }
  void report(benchmark::State& state, const std::string& name) const {
    state.counters[name + "_longest"] = longest_us_[0];
    state.counters[name + "_10th"] = longest_us_[kKept - 1];
    state.counters[name + "_total"] = total_us_;
  }

 private:
  static constexpr size_t kKept = 10;
  double longest_us_[kKept] = {};
  double total_us_ = 0;
};

// Text of 20 bytes.
struct ElementText {
  explicit ElementText(uint64_t number) {
    std::snprintf(text, sizeof(text), "element:%012llu", static_cast<unsigned long long>(number));
  }
  Bytes bytes() const { return {text, 20}; }
  char text[32];
};

struct SetCase {
  static Structure* create(StructureResources& resources) {
    return create_structure<SetStructure>(resources, SetForm::kHashtable);
  }
  static void add(Structure* structure, uint64_t i) {
    static_cast<SetStructure*>(structure)->add(ElementText(i).bytes());
  }
};

struct HashCase {
  static Structure* create(StructureResources& resources) { return create_structure<HashStructure>(resources, true); }
  static void add(Structure* structure, uint64_t i) {
    const ElementText text(i);
    static_cast<HashStructure*>(structure)->set({text.bytes(), text.bytes()}, 0);
  }
};

struct ZsetCase {
  static Structure* create(StructureResources& resources) { return create_structure<ZsetStructure>(resources); }
  static void add(Structure* structure, uint64_t i) {
    auto* zset = static_cast<ZsetStructure*>(structure);
    const ElementText text(i);
    zset->insert(zset->hashed(text.bytes()), static_cast<double>(i * 7919 % 1'000'003));
  }
};

struct ListCase {
  static Structure* create(StructureResources& resources) { return create_structure<ListStructure>(resources); }
  static void add(Structure* structure, uint64_t i) {
    static_cast<ListStructure*>(structure)->push(ListEnd::kBack, PackedText(ElementText(i).bytes()));
  }
};

struct StreamCase {
  static Structure* create(StructureResources& resources) { return create_structure<StreamStructure>(resources); }
  static void add(Structure* structure, uint64_t i) {
    const ElementText text(i);
    const Bytes fields[] = {"field", text.bytes()};
    static_cast<StreamStructure*>(structure)->append({i + 1, 1}, fields, StreamNodeLimits());
  }
};

template <class Case>
void bm_free(benchmark::State& state) {
  StoreOptions options;
  options.database_count = 1;
  options.hash_seed = 12345;
  for (auto _ : state) {
    Store store(options);
    Structure* structure = Case::create(store.structure_resources());
    Longest insertion;
    for (uint64_t i = 0; i < static_cast<uint64_t>(state.range(0));) {
      insertion.time([&] {
        for (const uint64_t end = i + kInsertedTogether; i < end; i++) Case::add(structure, i);
        return true;
      });
    }
    Longest piece;
    store.dispose(structure);
    while (piece.time([&] { return store.free_some(kElementsPerPiece); })) {
    }
    Longest given_back;
    while (given_back.time([&] { return store.give_back_some(); })) {
    }
    insertion.report(state, "insert");
    piece.report(state, "free");
    given_back.report(state, "give_back");
  }
}

BENCHMARK(bm_free<ListCase>)->Arg(kElements)->Iterations(1);
BENCHMARK(bm_free<SetCase>)->Arg(kElements)->Iterations(1);
BENCHMARK(bm_free<HashCase>)->Arg(kElements)->Iterations(1);
BENCHMARK(bm_free<ZsetCase>)->Arg(kElements)->Iterations(1);
BENCHMARK(bm_free<StreamCase>)->Arg(kElements)->Iterations(1);

}  // namespace
}  // namespace larder
