#include "storage/evictor.h"

#include <algorithm>

#include "storage/keyspace.h"

namespace larder {
namespace {

// Samples in a row that may yield nothing before the tables are walked: keys are there, but hardly any that may go.
constexpr int kFruitlessSamplesMax = 8;
// Buckets that one try walks over; some 10 us.
constexpr int kWalkBucketsMax = 64;
// Keys with a deadline are drawn from the expiry index when fewer than one key in so many has one.
constexpr size_t kRareShare = 4;
// Keys in one place of a table, on average.
constexpr uint32_t kKeysPerLook = 6;

}  // namespace

void Evictor::set_policy(const EvictionPolicy& policy) {
  const bool was_fifo = policy_.rule == EvictionRule::kS3Fifo;
  const bool is_fifo = policy.rule == EvictionRule::kS3Fifo;
  const bool same_queues = was_fifo && is_fifo && policy.volatile_only == policy_.volatile_only;
  policy_ = policy;
  pooled_ = 0;
  if (same_queues || (!was_fifo && !is_fifo)) return;
  for (int i = 0; i < store_.database_count(); i++) store_.database(i).track_arrivals(is_fifo, policy.volatile_only);
  store_.set_counts_uses(is_fifo);
}

// A database drawn in proportion to the keys that may go; null when there are none.
Keyspace* Evictor::choose_keyspace() {
  const auto eligible = [&](int i) {
    const Keyspace& keyspace = store_.database(i);
    return policy_.volatile_only ? keyspace.volatile_count() : keyspace.size();
  };
  size_t total = 0;
  for (int i = 0; i < store_.database_count(); i++) total += eligible(i);
  if (total == 0) return nullptr;
  uint64_t drawn = random_.uniform(total);
  for (int i = 0;; i++) {
    if (drawn < eligible(i)) return &store_.database(i);
    drawn -= eligible(i);
  }
}

Eviction Evictor::evict_one(int64_t now_ms) {
  if (policy_.rule == EvictionRule::kNone || store_.expiry_mode() == ExpiryMode::kHide) return Eviction::kNothing;
  if (policy_.rule == EvictionRule::kS3Fifo) return evict_by_fifo(now_ms);
  if (policy_.rule == EvictionRule::kSoonest && evict_soonest(now_ms)) return Eviction::kDone;
  prefetch_best(&Keyspace::prefetch_entry);
  for (int tries = 0; tries < kFruitlessSamplesMax; tries++) {
    Keyspace* keyspace = choose_keyspace();
    if (keyspace == nullptr) return Eviction::kNothing;
    sample(*keyspace, now_ms);
    if (!evict_from_pool(now_ms)) continue;
    prefetch_best(&Keyspace::prefetch_bucket);
    return Eviction::kDone;
  }
  return evict_by_walk(now_ms);
}

int64_t Evictor::score_of(const Entry& entry) const {
  switch (policy_.rule) {
    case EvictionRule::kLeastRecent:
      return store_.access().idle_seconds(entry.access_state());
    case EvictionRule::kLeastFrequent:
      return -int64_t{store_.access().frequency(entry.access_state())};
    case EvictionRule::kSoonest:
      return -entry.deadline_ms();
    default:
      return 0;
  }
}

void Evictor::sample(Keyspace& keyspace, int64_t now_ms) {
  const bool rare = policy_.volatile_only && keyspace.volatile_count() * kRareShare < keyspace.size();
  // Keys that may go, of those in one place.
  const size_t expected = policy_.volatile_only && !rare
                              ? kKeysPerLook * keyspace.volatile_count() / std::max<size_t>(keyspace.size(), 1)
                              : kKeysPerLook;
  size_t seen = 0;
  // Another place when that brings the sample nearer to the number wanted. Those without a key that may go cost a try.
  for (uint32_t looks = 0; looks < 2 + policy_.samples; looks++) {
    if (seen > 0 && seen + expected / 2 >= policy_.samples) break;
    const Keyspace* from = &keyspace;
    const auto visit = [&](const Entry& entry) {
      if (policy_.volatile_only && !entry.has_deadline()) return;
      seen++;
      offer_entry(*from, entry, now_ms);
    };
    if (rare) {
      keyspace.visit_random_volatile(random_, visit);
    } else {
      const Place place = next_place(keyspace);
      from = &store_.database(place.database);
      from->visit_sample(place.hash, visit);
    }
  }
}

// Draws a place of this keyspace for later, and takes the one that was drawn first.
Evictor::Place Evictor::next_place(const Keyspace& keyspace) {
  while (placed_ < places_.size()) {
    places_[placed_] = {random_.next(), keyspace.index()};
    keyspace.prefetch_bucket(places_[placed_++].hash);
  }
  const Place place = places_[0];
  std::move(places_.begin() + 1, places_.end(), places_.begin());
  placed_--;
  store_.database(places_[0].database).prefetch_sample(places_[0].hash);
  return place;
}

// The key that is due first in the database whose expiry index begins first.
bool Evictor::evict_soonest(int64_t now_ms) {
  Keyspace* first = nullptr;
  int64_t first_ms = INT64_MAX;
  for (int i = 0; i < store_.database_count(); i++) {
    Keyspace& keyspace = store_.database(i);
    if (keyspace.volatile_count() == 0) continue;
    const int64_t soonest_ms = keyspace.soonest_ms();
    if (first != nullptr && soonest_ms >= first_ms) continue;
    first = &keyspace;
    first_ms = soonest_ms;
  }
  return first != nullptr && first->evict_soonest(now_ms);
}

void Evictor::offer_entry(const Keyspace& keyspace, const Entry& entry, int64_t now_ms) {
  const int64_t score = entry.is_expired(now_ms) ? INT64_MAX : score_of(entry);
  if (pooled_ == kPoolSize && score <= pool_[0].score) return;  // most are: they are not even hashed
  offer({store_.hash_of(entry), score, keyspace.index()});
}

void Evictor::offer(const Candidate& candidate) {
  for (size_t i = 0; i < pooled_; i++) {
    if (pool_[i].hash == candidate.hash && pool_[i].database == candidate.database) return;
  }
  if (pooled_ == kPoolSize) {
    std::move(pool_.begin() + 1, pool_.end(), pool_.begin());
    pooled_--;
  }
  const auto at = std::upper_bound(pool_.begin(), pool_.begin() + static_cast<ptrdiff_t>(pooled_), candidate,
                                   [](const Candidate& a, const Candidate& b) { return a.score < b.score; });
  std::move_backward(at, pool_.begin() + static_cast<ptrdiff_t>(pooled_),
                     pool_.begin() + static_cast<ptrdiff_t>(pooled_) + 1);
  *at = candidate;
  pooled_++;
}

// The best candidate that is still what it was: a key that was used since has a lower score now.
bool Evictor::evict_from_pool(int64_t now_ms) {
  while (pooled_ > 0) {
    const Candidate best = pool_[--pooled_];
    Keyspace& keyspace = store_.database(best.database);
    const bool evicted = keyspace.evict_if(best.hash, now_ms, [&](const Entry& entry) {
      if (policy_.volatile_only && !entry.has_deadline()) return false;
      return best.score == INT64_MAX || score_of(entry) >= best.score;
    });
    if (evicted) return true;
  }
  return false;
}

// The best candidate is likely to be the next that goes.
template <class Result>
void Evictor::prefetch_best(Result (Keyspace::*prefetch)(uint64_t) const) const {
  if (pooled_ == 0) return;
  const Candidate& best = pool_[pooled_ - 1];
  (store_.database(best.database).*prefetch)(best.hash);
}

Eviction Evictor::evict_by_fifo(int64_t now_ms) {
  Keyspace* keyspace = choose_keyspace();
  if (keyspace == nullptr) return Eviction::kNothing;
  const Eviction result = keyspace->evict_from_queues(now_ms);
  return result == Eviction::kNothing ? evict_by_walk(now_ms) : result;
}

// The best of the first bucket that has a key which may go. Requires: there is such a key.
Eviction Evictor::evict_by_walk(int64_t now_ms) {
  for (int buckets = 0; buckets < kWalkBucketsMax; buckets++) {
    if (walk_database_ >= store_.database_count()) walk_database_ = 0;
    const Keyspace& keyspace = store_.database(walk_database_);
    if ((policy_.volatile_only ? keyspace.volatile_count() : keyspace.size()) == 0) {
      walk_position_ = 0;
    } else {
      walk_position_ = keyspace.visit_bucket(walk_position_, [&](const Entry& entry) {
        if (!policy_.volatile_only || entry.has_deadline()) offer_entry(keyspace, entry, now_ms);
      });
    }
    if (walk_position_ == 0) walk_database_++;
    if (evict_from_pool(now_ms)) return Eviction::kDone;
  }
  return Eviction::kNotYet;
}

bool Evictor::maintain(size_t steps) {
  ghost_bytes_ = 0;
  if (policy_.rule != EvictionRule::kS3Fifo) return false;
  bool more = false;
  for (int i = 0; i < store_.database_count(); i++) {
    more |= store_.database(i).maintain_queues(steps);
    ghost_bytes_ += store_.database(i).ghost_bytes();
  }
  return more;
}

}  // namespace larder
