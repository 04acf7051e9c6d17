// Chooses the keys that go when memory is short.
//
//   random              a key drawn at random
//   least recent        the longest idle of a sample (LRU)
//   least frequent      the lowest counter of a sample, decay included (LFU)
//   soonest             the nearest deadline, as the expiry index has them; of a sample where it cannot order them in time
//   s3-fifo             the queues of s3_fifo.h
//
// each among all keys or among those with a deadline. The sampled rules keep the best candidates of earlier samples in a
// pool, so that a sample of 5 comes close to the exact order. A sample is a home bucket (about six keys): hashes are
// uniform, so neighbours in the table have nothing in common. Its place is drawn some evictions ahead, which brings it into the
// cache. Candidates are remembered by hash and judged again before they go. Keys with a deadline are drawn from the expiry index when they are rare in the table. Where sampling finds
// nothing, the tables are walked from a kept position: a key that may go is found however rare it is, over several calls.
//
// One eviction costs 0.3 to 1 us with sampling and 0.2 us with S3-FIFO, plus what freeing the value costs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/random.h"
#include "storage/entry.h"

namespace larder {

class Keyspace;
class Store;

enum class EvictionRule : uint8_t { kNone, kRandom, kLeastRecent, kLeastFrequent, kSoonest, kS3Fifo };

struct EvictionPolicy {
  EvictionRule rule = EvictionRule::kNone;
  bool volatile_only = false;
  uint32_t samples = 5;  // keys looked at for one eviction, at least
};

// What became of one try to remove a key. kNotYet: there are keys that may go, but the work of one try was over before
// one was found; the next goes on where this one ended.
enum class Eviction : uint8_t { kDone, kNotYet, kNothing };

class Evictor {
 public:
  explicit Evictor(Store& store, uint64_t random_seed) : store_(store), random_(random_seed) {}

  void set_policy(const EvictionPolicy& policy);
  const EvictionPolicy& policy() const { return policy_; }

  // Removes one key. Bounded work: some hundred keys are looked at. kNothing: no key may go under the policy.
  Eviction evict_one(int64_t now_ms);
  // Upkeep of S3-FIFO's queues, about `steps` keys of it. True when more is to be done.
  bool maintain(size_t steps);
  // Of the tables of ghosts, as of the last maintain().
  size_t ghost_bytes() const { return ghost_bytes_; }

 private:
  static constexpr size_t kPoolSize = 16;
  struct Candidate {
    uint64_t hash = 0;
    int64_t score = 0;  // the higher, the sooner it goes
    int32_t database = -1;
  };

  struct Place {
    uint64_t hash = 0;
    int32_t database = -1;
  };

  Keyspace* choose_keyspace();
  bool evict_from_pool(int64_t now_ms);
  void sample(Keyspace& keyspace, int64_t now_ms);
  bool evict_soonest(int64_t now_ms);
  Place next_place(const Keyspace& keyspace);
  void offer_entry(const Keyspace& keyspace, const Entry& entry, int64_t now_ms);
  void offer(const Candidate& candidate);
  template <class Result>
  void prefetch_best(Result (Keyspace::*prefetch)(uint64_t) const) const;
  int64_t score_of(const Entry& entry) const;
  Eviction evict_by_fifo(int64_t now_ms);
  Eviction evict_by_walk(int64_t now_ms);

  Store& store_;
  Random random_;
  EvictionPolicy policy_;
  std::array<Candidate, kPoolSize> pool_;  // ascending by score
  size_t pooled_ = 0;
  // Where the coming samples are taken: the entries of the first are on their way to the cache, of the others the buckets.
  std::array<Place, 3> places_;
  size_t placed_ = 0;
  int walk_database_ = 0;  // where evict_by_walk() goes on
  uint64_t walk_position_ = 0;
  size_t ghost_bytes_ = 0;
};

}  // namespace larder
