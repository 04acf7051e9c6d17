#pragma once

// Glob patterns, found by a text that they match.
//
// Looking at every pattern for every message is what makes ten thousand of them expensive. Nearly all patterns begin with
// literal bytes ("user:17:*"), so they are grouped by that prefix (its first kPrefixBytesMax bytes), and a text is looked
// up once for each length of prefix that occurs: a text of "user:17:mail" in the groups of "", "user:" and "user:17:".
// Only the patterns of those groups are matched. Cost: one look-up per length that occurs (64 at the most, usually a
// few), and one match per pattern whose prefix fits.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/glob.h"
#include "server/core/name_table.h"

namespace larder {

// How much of a pattern is literal from its beginning.
size_t literal_prefix_bytes(Bytes pattern);

// Pattern has `std::string name` (the glob) and `uint32_t index_position`, which is the index's own. Patterns stay where
// they are while they are in the index, which owns none of them.
template <class Pattern>
class PatternIndex {
 public:
  static constexpr size_t kPrefixBytesMax = 63;

  explicit PatternIndex(uint64_t hash_seed) : groups_(hash_seed) {}

  void add(Pattern& pattern) {
    const Bytes prefix = prefix_of(pattern);
    Group& group = groups_.find_or_add(prefix);
    if (group.patterns.empty()) {
      ++groups_of_length_[prefix.size()];
      lengths_ |= uint64_t{1} << prefix.size();
    }
    pattern.index_position = static_cast<uint32_t>(group.patterns.size());
    group.patterns.push_back(&pattern);
  }

  // Requires: it was added.
  void remove(Pattern& pattern) {
    const Bytes prefix = prefix_of(pattern);
    Group& group = *groups_.find(prefix);
    Pattern* const last = group.patterns.back();
    group.patterns[pattern.index_position] = last;
    last->index_position = pattern.index_position;
    group.patterns.pop_back();
    if (!group.patterns.empty()) return;
    if (--groups_of_length_[prefix.size()] == 0) lengths_ &= ~(uint64_t{1} << prefix.size());
    groups_.remove(group);
  }

  // Calls visit(Pattern&) for every pattern that matches; `visit` must not change the index.
  template <class Visit>
  void for_each_match(Bytes text, Visit visit) const {
    for (uint64_t lengths = lengths_; lengths != 0; lengths &= lengths - 1) {
      const auto length = static_cast<size_t>(__builtin_ctzll(lengths));
      if (length > text.size()) return;
      const Group* group = groups_.find(text.substr(0, length));
      if (group == nullptr) continue;
      for (Pattern* pattern : group->patterns) {
        if (glob_match(pattern->name, text)) visit(*pattern);
      }
    }
  }

 private:
  struct Group {
    std::string name;  // the prefix
    uint64_t hash = 0;
    std::vector<Pattern*> patterns;
  };
  static Bytes prefix_of(const Pattern& pattern) {
    return Bytes(pattern.name).substr(0, std::min(literal_prefix_bytes(pattern.name), kPrefixBytesMax));
  }

  NameTable<Group> groups_;
  std::array<uint32_t, kPrefixBytesMax + 1> groups_of_length_{};
  uint64_t lengths_ = 0;  // bit n: there are groups with a prefix of n bytes
};

}  // namespace larder
