#include "server/config/nearest_option.h"

#include <algorithm>
#include <vector>

#include "server/config/option_rows.h"

namespace larder {
namespace {

constexpr size_t kEditsMax = 3;
constexpr size_t kNameBytesMax = 64;  // longer texts are no misspelled names
constexpr Bytes kDirectives[] = {"include", "rename-command", "user", "loadmodule"};

// Optimal string alignment distance, three rows of the usual table at a time.
size_t edit_distance(Bytes a, Bytes b) {
  std::vector<size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

}  // namespace

Bytes nearest_option(Bytes name) {
  if (name.size() > kNameBytesMax) return {};
  const std::string lower = to_lower(name);
  size_t best_edits = std::min(kEditsMax, lower.size() / 3) + 1;
  Bytes best;
  const auto consider = [&](Bytes candidate) {
    if (candidate.empty()) return;
    const size_t edits = edit_distance(lower, candidate);
    if (edits >= best_edits) return;
    best_edits = edits;
    best = candidate;
  };
  for (const OptionRow& row : option_rows()) {
    if (row.has(kHidden)) continue;
    consider(row.name);
    consider(row.alias);
  }
  for (const Bytes directive : kDirectives) consider(directive);
  return best;
}

}  // namespace larder
