#pragma once

// Drawing elements of a collection at random: SRANDMEMBER, HRANDFIELD, ZRANDMEMBER.
//
// A count of at least 0 asks for different elements, a negative one for that many draws with repetition.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "protocol/arg_reader.h"

namespace larder {

// Draws with repetition that one request may ask for: its reply is then about a gigabyte. Redis has no limit, and a
// single request can make it use all memory.
inline constexpr int64_t kRepeatedDrawsMax = int64_t{64} * 1024 * 1024;

// The count argument; errors are latched.
int64_t take_sample_count(ArgReader& args);

// Chooses `count` of `size` elements that are walked in order: each is asked about once, and every choice is equally
// likely (selection sampling: Knuth, The Art of Computer Programming, volume 2, 3.4.2, algorithm S).
class IndexSample {
 public:
  IndexSample(size_t size, size_t count, Random& random) : left_(size), wanted_(count), random_(random) {}
  // Whether the next element is one of the chosen.
  bool takes_next() {
    const bool takes = random_.uniform(left_--) < wanted_;
    if (takes) wanted_--;
    return takes;
  }

 private:
  size_t left_;
  size_t wanted_;
  Random& random_;
};

// Calls visit(const Item&) for `count` different items of a structure with a hash table, in a random order. Costs time
// in proportion to the count, or to the size where the count is a large part of it.
// Requires: count < structure.size(); structure.random_slot(random) and structure.for_each_item(visit).
template <class Structure, class Visit>
void sample_table(const Structure& structure, size_t count, Random& random, Visit visit) {
  using Item = typename Structure::Table::Item;
  std::vector<const Item*> chosen;
  if (count > structure.size() / 3) {
    IndexSample sample(structure.size(), count, random);
    chosen.reserve(count);
    structure.for_each_item([&](const Item& item) {
      if (sample.takes_next()) chosen.push_back(&item);
    });
  } else {
    // Rounds of draws; a round leaves less than a third of what it drew as repetitions.
    while (chosen.size() < count) {
      const size_t missing = count - chosen.size();
      for (size_t i = 0; i < missing; i++) chosen.push_back(structure.random_slot(random)->item());
      std::sort(chosen.begin(), chosen.end());
      chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
    }
  }
  for (size_t i = chosen.size(); i > 1; i--) std::swap(chosen[i - 1], chosen[random.uniform(i)]);
  for (const Item* item : chosen) visit(*item);
}

}  // namespace larder
