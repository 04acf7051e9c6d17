#include "storage/zset_structure.h"

#include <algorithm>
#include <span>
#include <utility>

namespace larder {
namespace {

// Of put_in_order(): that many members are sorted in about 2 ms when their scores are the same, and much sooner otherwise.
constexpr size_t kRunMembers = 16384;
// That many are merged and appended in less than 1 ms; they fill whole leaves.
constexpr size_t kMembersMeanwhile = 64 * ScoreTree::kLeafSlotsMax;
// Fewer are sorted by comparisons.
constexpr size_t kRadixMembersMin = 256;

struct OrderedMember {
  uint64_t order;
  ZsetMember* member;
};
bool comes_before(const OrderedMember& a, const OrderedMember& b) {
  return a.order != b.order ? a.order < b.order : a.member->bytes() < b.member->bytes();
}

// Sorts by one byte of the order; what has the same byte stays as it is.
void sort_by_byte(std::span<const OrderedMember> from, OrderedMember* to, uint32_t shift) {
  size_t place[256] = {};
  for (const OrderedMember& each : from) place[(each.order >> shift) & 0xff]++;
  size_t next = 0;
  for (size_t& count : place) next += std::exchange(count, next);
  for (const OrderedMember& each : from) to[place[(each.order >> shift) & 0xff]++] = each;
}

// By score byte by byte, lowest first, those bytes left out that all scores share: a comparison of two scores is a branch that
// is mispredicted as often as not. Members of the same score by comparisons.
void sort_members(std::span<OrderedMember> members, std::vector<OrderedMember>& scratch) {
  if (members.size() < kRadixMembersMin) return std::sort(members.begin(), members.end(), comes_before);
  uint64_t differing = 0;
  for (const OrderedMember& each : members) differing |= each.order ^ members[0].order;
  scratch.resize(members.size());
  std::span<OrderedMember> from = members;
  std::span<OrderedMember> to(scratch);
  for (uint32_t shift = 0; shift < 64; shift += 8) {
    if (((differing >> shift) & 0xff) == 0) continue;
    sort_by_byte(from, to.data(), shift);
    std::swap(from, to);
  }
  if (from.data() != members.data()) std::copy(from.begin(), from.end(), members.begin());
  for (size_t begin = 0; begin < members.size();) {
    size_t end = begin + 1;
    while (end < members.size() && members[end].order == members[begin].order) end++;
    if (end - begin > 1) {
      std::sort(members.begin() + static_cast<ptrdiff_t>(begin), members.begin() + static_cast<ptrdiff_t>(end),
                comes_before);
    }
    begin = end;
  }
}

// What is left of a sorted part.
struct SortedRun {
  size_t next;
  size_t end;
};

// Gives the members of all runs in order.
template <class Take>
void merge_runs(const std::vector<OrderedMember>& members, std::vector<SortedRun>& runs, Take take) {
  const auto is_after = [&](const SortedRun& a, const SortedRun& b) {
    return comes_before(members[b.next], members[a.next]);
  };
  std::make_heap(runs.begin(), runs.end(), is_after);
  while (runs.size() > 1) {
    std::pop_heap(runs.begin(), runs.end(), is_after);
    SortedRun& least = runs.back();
    take(members[least.next].member);
    if (++least.next == least.end) {
      runs.pop_back();
    } else {
      std::push_heap(runs.begin(), runs.end(), is_after);
    }
  }
  for (const SortedRun& last : runs) {
    for (size_t i = last.next; i < last.end; i++) take(members[i].member);
  }
}

}  // namespace

ZsetStructure::~ZsetStructure() {
  while (free_some(SIZE_MAX)) {
  }
}

ZsetMember* ZsetStructure::create_member(const HashedKey& member, double score) {
  if (is_guarded()) [[unlikely]]
    tell_item_coming(member.hash, member.bytes);
  ZsetMember* block = ZsetMember::create(resources().blocks, member.bytes, score);
  member_bytes_ += block->memory_bytes();
  index_.insert_new(member.hash, block);
  return block;
}

void ZsetStructure::set_score(ZsetMember* member, double score) {
  if (is_guarded()) [[unlikely]]
    tell_item_changing(hashed(member->bytes()).hash, member);
  tree_.set_score(member, score);
}

void ZsetStructure::destroy_member(ZsetMember* member) {
  const HashedKey key = hashed(member->bytes());
  if (is_guarded()) [[unlikely]]
    tell_item_changing(key.hash, member);
  index_.erase(key.hash, index_.find(key.hash, key.bytes));
  member_bytes_ -= member->memory_bytes();
  ZsetMember::destroy(resources().blocks, member);
}

void ZsetStructure::remove(ZsetMember* member) {
  tree_.remove(member);
  destroy_member(member);
}

void ZsetStructure::remove_ranks(size_t rank, size_t count) {
  ZsetMember* removed[ScoreTree::kLeafSlotsMax];
  while (count > 0) {
    const uint32_t taken = tree_.remove_some(rank, count, removed);
    for (uint32_t i = 0; i < taken; i++) index_.prefetch_bucket(hashed(removed[i]->bytes()).hash);
    for (uint32_t i = 0; i < taken; i++) destroy_member(removed[i]);
    count -= taken;
  }
}

// Sorted a run at a time, and merged from all runs at once into the tree: each is a short piece of work. Where nobody waits
// for the pieces, all is one run.
void ZsetStructure::put_in_order(const std::function<void()>& meanwhile) {
  LARDER_ASSERT(tree_.size() == 0);
  index_.settle();
  std::vector<OrderedMember> members;
  members.reserve(index_.size());
  std::vector<OrderedMember> scratch;
  std::vector<SortedRun> runs;
  size_t run_begin = 0;
  const auto end_run = [&] {
    if (run_begin == members.size()) return;
    sort_members(std::span(members).subspan(run_begin), scratch);
    runs.push_back({run_begin, members.size()});
    run_begin = members.size();
    if (meanwhile) meanwhile();
  };
  uint64_t position = 0;
  do {
    position = index_.scan_slots(position, [&](auto& slot) {
      ZsetMember* member = slot.item();
      members.push_back({member->order(), member});
    });
    if (meanwhile && members.size() - run_begin >= kRunMembers) end_run();
  } while (position != 0);
  end_run();
  std::vector<ZsetMember*> ordered;
  ordered.reserve(std::min(kMembersMeanwhile, members.size()));
  const auto append = [&] {
    tree_.append(ordered);
    ordered.clear();
    if (meanwhile) meanwhile();
  };
  merge_runs(members, runs, [&](ZsetMember* member) {
    ordered.push_back(member);
    if (ordered.size() == kMembersMeanwhile) append();
  });
  append();
}

size_t ZsetStructure::memory_bytes() const {
  return block_bytes(sizeof(*this)) + member_bytes_ + index_.bytes_allocated() + tree_.bytes_allocated();
}

Structure* ZsetStructure::clone() const {
  auto* copy = create_structure<ZsetStructure>(resources());
  copy->index_.expect(tree_.size());
  std::vector<ZsetMember*> ordered;
  ordered.reserve(kMembersMeanwhile);
  tree_.visit(0, tree_.size(), false, [&](const ZsetMember* member) {
    ordered.push_back(copy->create_member(copy->hashed(member->bytes()), member->score()));
    if (ordered.size() < kMembersMeanwhile) return;
    copy->tree_.append(ordered);
    ordered.clear();
  });
  copy->tree_.append(ordered);
  copy->index_.settle();
  return copy;
}

// Members go by way of the index, which has them all, ordered or not; the tree's nodes after them.
bool ZsetStructure::free_some(size_t elements_max) {
  size_t freed = 0;
  while (freed < elements_max && !index_.empty()) {
    drain_position_ = index_.drain(drain_position_, [&](ZsetMember* member) {
      member_bytes_ -= member->memory_bytes();
      ZsetMember::destroy(resources().blocks, member);
      freed++;
    });
  }
  if (!index_.empty()) return true;
  return tree_.free_some(elements_max - std::min(freed, elements_max));
}

uint64_t ZsetStructure::compact_some(uint64_t position, BlockMover& mover) {
  return mover.compact_bucket(index_, position,
                              [&](const ZsetMember* old, ZsetMember* copy) { tree_.replace(old, copy); });
}

void ZsetStructure::check_integrity() const {
  index_.check_integrity();
  tree_.check_integrity();
  LARDER_ASSERT(index_.size() == tree_.size() && drain_position_ == 0);
  size_t bytes = 0;
  tree_.visit(0, tree_.size(), false, [&](const ZsetMember* member) {
    LARDER_ASSERT(find(member->bytes()) == member);
    bytes += member->memory_bytes();
  });
  LARDER_ASSERT(bytes == member_bytes_);
}

}  // namespace larder
