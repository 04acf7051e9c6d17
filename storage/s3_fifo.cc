#include "storage/s3_fifo.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/assert.h"

namespace larder {
namespace {

constexpr size_t kSmallShare = 7;  // one in so many items is in the small queue
constexpr size_t kGhostKeysMin = 1024;

}  // namespace

// ---- ItemQueue

ItemQueue::~ItemQueue() {
  while (oldest_ != nullptr) {
    Chunk* next = oldest_->next;
    blocks_->free(oldest_, sizeof(Chunk));
    oldest_ = next;
  }
}

void ItemQueue::push(uint32_t item) {
  if (newest_ == nullptr || end_ == kChunkItems) {
    auto* chunk = static_cast<Chunk*>(blocks_->allocate(sizeof(Chunk)));
    chunk->next = nullptr;
    if (newest_ == nullptr) {
      oldest_ = chunk;
      begin_ = 0;
    } else {
      newest_->next = chunk;
    }
    newest_ = chunk;
    end_ = 0;
  }
  newest_->items[end_++] = item;
  size_++;
}

uint32_t ItemQueue::pop() {
  LARDER_ASSERT(size_ > 0);
  const uint32_t item = oldest_->items[begin_++];
  size_--;
  if (begin_ == kChunkItems || size_ == 0) {
    Chunk* next = oldest_->next;
    blocks_->free(oldest_, sizeof(Chunk));
    oldest_ = next;
    begin_ = 0;
    if (oldest_ == nullptr) newest_ = nullptr;
  }
  return item;
}

uint32_t ItemQueue::peek(size_t ahead) const {
  if (ahead >= size_ || begin_ + ahead >= kChunkItems) return 0;
  return oldest_->items[begin_ + ahead];
}

// ---- GhostTable

void GhostTable::Free::operator()(Group* groups) const { std::free(groups); }

void GhostTable::resize(size_t keys) {
  const size_t groups = std::max(keys, kGhostKeysMin) / kGroupSlots + 1;
  if (groups <= 2 * current_.groups && 4 * groups >= current_.groups) return;
  // From the system as zero pages: no time is spent on clearing, however large it is.
  auto* memory = static_cast<Group*>(std::calloc(groups, sizeof(Group)));
  LARDER_ASSERT(memory != nullptr);
  previous_ = std::move(current_);
  current_.memory.reset(memory);
  current_.groups = groups;
  inserted_ = 0;
}

void GhostTable::insert(uint32_t item) {
  if (current_.groups == 0) return;
  Group& group = current_.group_of(item);
  group.items[group.next] = item;
  group.next = (group.next + 1) % kGroupSlots;
  if (++inserted_ == capacity()) previous_ = {};
}

bool GhostTable::Table::contains(uint32_t item) const {
  if (groups == 0) return false;
  const Group& group = group_of(item);
  return std::find(std::begin(group.items), std::end(group.items), item) != std::end(group.items);
}

// ---- S3Fifo

void S3Fifo::file(uint32_t hash_prefix, Entry* entry, EntryQueue which) {
  entry->set_queue(which);
  queue(which).push(hash_prefix);
}

void S3Fifo::insert(uint32_t hash_prefix, Entry* entry) {
  entry->set_uses(0);
  entry->set_turn_bit(turn_bit_);
  file(hash_prefix, entry, ghosts_.contains(hash_prefix) ? EntryQueue::kMain : EntryQueue::kSmall);
}

void S3Fifo::adopt(uint32_t hash_prefix, Entry* entry) {
  entry->set_uses(0);
  entry->set_turn_bit(turn_bit_);
  file(hash_prefix, entry, EntryQueue::kMain);
}

S3Fifo::Due S3Fifo::take() {
  const bool from_small = main_.size() == 0 || (small_.size() > 0 && small_.size() * kSmallShare >= items());
  const EntryQueue which = from_small ? EntryQueue::kSmall : EntryQueue::kMain;
  size_t& turn = from_small ? turn_small_ : turn_main_;
  if (turn > 0) turn--;
  return {queue(which).pop(), which};
}

uint32_t S3Fifo::peek(size_t ahead) const {
  const bool from_small = main_.size() == 0 || (small_.size() > 0 && small_.size() * kSmallShare >= items());
  return from_small ? small_.peek(ahead) : main_.peek(ahead);
}

S3Fifo::Verdict S3Fifo::judge(const Due& due, Entry* entry) {
  if (due.queue == EntryQueue::kSmall) {
    if (entry->uses() >= kUsesToStay) {
      entry->set_uses(0);
      file(due.hash_prefix, entry, EntryQueue::kMain);
      return Verdict::kKeep;
    }
    ghosts_.insert(due.hash_prefix);
    return Verdict::kEvict;
  }
  if (entry->uses() == 0) return Verdict::kEvict;
  entry->set_uses(entry->uses() - 1);
  file(due.hash_prefix, entry, EntryQueue::kMain);
  return Verdict::kKeep;
}

S3Fifo::Due S3Fifo::take_turn_item() {
  if (turn_left() == 0) {
    turn_bit_ = !turn_bit_;
    turn_small_ = small_.size();
    turn_main_ = main_.size();
  }
  size_t& left = turn_small_ > 0 ? turn_small_ : turn_main_;
  const EntryQueue which = turn_small_ > 0 ? EntryQueue::kSmall : EntryQueue::kMain;
  left--;
  return {queue(which).pop(), which};
}

void S3Fifo::keep(const Due& due, Entry* entry) {
  if (entry->turn_bit() == turn_bit_) return;
  entry->set_turn_bit(turn_bit_);
  queue(due.queue).push(due.hash_prefix);
}

void S3Fifo::size_ghosts(size_t keys) { ghosts_.resize(keys); }

}  // namespace larder
