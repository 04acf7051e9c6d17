#include "storage/hash_directory.h"

#include <cstdlib>
#include <cstring>

namespace larder {
namespace {

uint64_t top_bits(uint64_t hash, uint32_t count) { return count == 0 ? 0 : hash >> (64 - count); }

}  // namespace

HashDirectory& HashDirectory::operator=(HashDirectory&& other) noexcept {
  if (this != &other) {
    free_all();
    steal(other);
  }
  return *this;
}

void HashDirectory::steal(HashDirectory& other) {
  inline_word_ = other.inline_word_;
  root_shift_ = other.root_shift_;
  deepest_count_ = other.deepest_count_;
  bytes_ = other.bytes_;
  words_ = other.depth() == 0 ? &inline_word_ : other.words_;
  other.words_ = &other.inline_word_;
  other.root_shift_ = 63;
  other.deepest_count_ = 0;
  other.bytes_ = 0;
}

void HashDirectory::free_all() {
  if (depth() == kRootDepthMax) {
    for (size_t i = 0; i < (size_t{1} << kRootDepthMax); i++) {
      if (is_branch(words_[i])) free_branch(branch_of(words_[i]));
    }
  }
  free_words();
  LARDER_ASSERT(bytes_ == 0);
}

void HashDirectory::reset(SegmentWord only) {
  free_all();
  inline_word_ = only.raw();
  words_ = &inline_word_;
  root_shift_ = 63;
  deepest_count_ = 0;
}

HashDirectory::Branch* HashDirectory::create_branch(uint32_t depth) {
  auto* branch = static_cast<Branch*>(std::aligned_alloc(64, bytes_of_branch(depth)));
  LARDER_ASSERT(branch != nullptr);
  branch->depth = depth;
  branch->deepest_count = 0;
  bytes_ += bytes_of_branch(depth);
  return branch;
}

void HashDirectory::free_branch(Branch* branch) {
  bytes_ -= bytes_of_branch(branch->depth);
  std::free(branch);
}

uint64_t* HashDirectory::allocate_words(uint32_t depth) {
  const size_t bytes = sizeof(uint64_t) << depth;
  auto* words = static_cast<uint64_t*>(std::malloc(bytes));
  LARDER_ASSERT(words != nullptr);
  bytes_ += bytes;
  return words;
}

// Requires: the depth is still that of the words.
void HashDirectory::free_words() {
  if (depth() == 0) return;
  bytes_ -= sizeof(uint64_t) << depth();
  std::free(words_);
}

uint32_t HashDirectory::count_deepest(const uint64_t* words, uint32_t depth, uint32_t bits_above) {
  uint32_t count = 0;
  for (size_t i = 0; i < (size_t{1} << depth); i++) {
    count += is_branch(words[i]) || SegmentWord(words[i]).local_depth() == bits_above + depth;
  }
  return count;
}

void HashDirectory::fill(uint64_t* words, uint32_t depth, uint64_t hash, uint32_t used_bits, uint64_t value) {
  const size_t span = size_t{1} << (depth - used_bits);
  uint64_t* first = words + top_bits(hash, used_bits) * span;
  for (size_t i = 0; i < span; i++) first[i] = value;
}

void HashDirectory::set(uint64_t hash, SegmentWord word) {
  const uint32_t local_depth = word.local_depth();
  if (local_depth <= depth() && !is_branch(root_word(hash))) {
    fill(words_, depth(), hash, local_depth, word.raw());
    return;
  }
  LARDER_ASSERT(local_depth > kRootDepthMax && is_branch(root_word(hash)));
  Branch* branch = branch_of(root_word(hash));
  fill(branch->words(), branch->depth, hash << kRootDepthMax, local_depth - kRootDepthMax, word.raw());
}

void HashDirectory::replace(uint64_t hash, SegmentWord word) {
  LARDER_ASSERT(find(hash).local_depth() == word.local_depth());
  set(hash, word);
}

void HashDirectory::split(uint64_t hash, SegmentWord low, SegmentWord high) {
  const uint32_t old_depth = find(hash).local_depth();
  const uint32_t new_depth = low.local_depth();
  LARDER_ASSERT(new_depth == old_depth + 1 && high.local_depth() == new_depth && new_depth <= kDepthMax);
  if (old_depth == depth() && old_depth < kRootDepthMax) double_root();
  if (old_depth == kRootDepthMax) {
    Branch* branch = create_branch(1);
    fill(branch->words(), 1, 0, 0, low.raw());
    root_word(hash) = word_of(branch);
  } else if (old_depth > kRootDepthMax && old_depth - kRootDepthMax == branch_of(root_word(hash))->depth) {
    double_branch(hash);
  }
  const uint64_t half_bit = uint64_t{1} << (64 - new_depth);
  set(hash & ~half_bit, low);
  set(hash | half_bit, high);
  if (new_depth > kRootDepthMax) {
    Branch* branch = branch_of(root_word(hash));
    if (new_depth - kRootDepthMax == branch->depth) branch->deepest_count += 2;
  } else if (new_depth == depth()) {
    deepest_count_ += 2;
  }
}

void HashDirectory::merge(uint64_t hash, SegmentWord whole) {
  const uint32_t old_depth = find(hash).local_depth();
  LARDER_ASSERT(old_depth > 0 && whole.local_depth() == old_depth - 1);
  if (old_depth <= kRootDepthMax) {
    set(hash, whole);
    if (old_depth == depth()) {
      LARDER_ASSERT(deepest_count_ >= 2);
      deepest_count_ -= 2;
      while (depth() > 0 && deepest_count_ == 0) halve_root();
    }
    return;
  }
  Branch* branch = branch_of(root_word(hash));
  if (old_depth == kRootDepthMax + 1) {  // its two words become one: the branch is not needed any more
    LARDER_ASSERT(branch->depth == 1);
    root_word(hash) = whole.raw();
    free_branch(branch);
    return;
  }
  set(hash, whole);
  if (old_depth - kRootDepthMax != branch->depth) return;
  LARDER_ASSERT(branch->deepest_count >= 2);
  branch->deepest_count -= 2;
  if (branch->deepest_count == 0) shrink_branch(hash);
}

void HashDirectory::double_root() {
  const uint32_t old_depth = depth();
  uint64_t* doubled = allocate_words(old_depth + 1);
  for (size_t i = 0; i < (size_t{1} << old_depth); i++) doubled[2 * i] = doubled[2 * i + 1] = words_[i];
  free_words();
  words_ = doubled;
  root_shift_--;
  deepest_count_ = 0;
}

void HashDirectory::halve_root() {
  const uint32_t new_depth = depth() - 1;
  if (new_depth == 0) {
    inline_word_ = words_[0];
    free_words();
    words_ = &inline_word_;
    root_shift_ = 63;
    deepest_count_ = 0;
    return;
  }
  uint64_t* halved = allocate_words(new_depth);
  for (size_t i = 0; i < (size_t{1} << new_depth); i++) halved[i] = words_[2 * i];
  free_words();
  words_ = halved;
  root_shift_++;
  deepest_count_ = count_deepest(words_, new_depth, 0);
}

void HashDirectory::double_branch(uint64_t hash) {
  Branch* old = branch_of(root_word(hash));
  Branch* doubled = create_branch(old->depth + 1);
  for (size_t i = 0; i < (size_t{1} << old->depth); i++) {
    doubled->words()[2 * i] = doubled->words()[2 * i + 1] = old->words()[i];
  }
  free_branch(old);
  root_word(hash) = word_of(doubled);
}

void HashDirectory::shrink_branch(uint64_t hash) {
  Branch* old = branch_of(root_word(hash));
  while (old->deepest_count == 0) {
    LARDER_ASSERT(old->depth > 1);
    Branch* halved = create_branch(old->depth - 1);
    for (size_t i = 0; i < (size_t{1} << halved->depth); i++) halved->words()[i] = old->words()[2 * i];
    halved->deepest_count = count_deepest(halved->words(), halved->depth, kRootDepthMax);
    free_branch(old);
    old = halved;
  }
  root_word(hash) = word_of(old);
}

void HashDirectory::check_integrity() const {
  if (depth() == 0) {
    LARDER_ASSERT(words_ == &inline_word_ && deepest_count_ == 0);
    return;
  }
  LARDER_ASSERT(deepest_count_ > 0 && deepest_count_ == count_deepest(words_, depth(), 0));
  const auto check_words = [](const uint64_t* words, uint32_t depth, uint32_t bits_above) {
    for (size_t i = 0; i < (size_t{1} << depth); i++) {
      if (is_branch(words[i])) continue;
      const uint32_t local_depth = SegmentWord(words[i]).local_depth();
      LARDER_ASSERT(local_depth <= bits_above + depth && (bits_above == 0 || local_depth > bits_above));
      const size_t span = size_t{1} << (bits_above + depth - local_depth);
      LARDER_ASSERT(words[i & ~(span - 1)] == words[i]);
    }
  };
  check_words(words_, depth(), 0);
  for (size_t i = 0; i < (size_t{1} << depth()); i++) {
    if (!is_branch(words_[i])) continue;
    LARDER_ASSERT(depth() == kRootDepthMax);
    const Branch* branch = branch_of(words_[i]);
    LARDER_ASSERT(branch->depth == depth_of(words_[i]) && branch->depth >= 1);
    LARDER_ASSERT(branch->deepest_count == count_deepest(branch->words(), branch->depth, kRootDepthMax));
    check_words(branch->words(), branch->depth, kRootDepthMax);
  }
}

}  // namespace larder
