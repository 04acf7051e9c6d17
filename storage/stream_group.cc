#include "storage/stream_group.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/assert.h"

namespace larder {
namespace {

Bytes name_of(const StreamConsumer& consumer) { return consumer.name; }
Bytes name_of(const StreamGroup& group) { return group.name(); }

// A block's size for an object of class T with a name behind it. Blocks are aligned to 8 only if their size is.
template <class T>
size_t named_bytes(Bytes name) {
  return (sizeof(T) + name.size() + 7) & ~size_t{7};
}

// Memory for such an object; the name is in it already.
template <class T>
char* allocate_named(StreamMemory& memory, Bytes name, Bytes* copy) {
  auto* block = static_cast<char*>(memory.allocate(named_bytes<T>(name)));
  if (!name.empty()) std::memcpy(block + sizeof(T), name.data(), name.size());
  *copy = {block + sizeof(T), name.size()};
  return block;
}

}  // namespace

// ---- Names in order

template <class T>
StreamNameIndex<T>::~StreamNameIndex() {
  LARDER_ASSERT(empty());
  set_capacity(0);
}

template <class T>
size_t StreamNameIndex<T>::position_of(Bytes name) const {
  const auto all = this->all();
  return static_cast<size_t>(std::lower_bound(all.begin(), all.end(), name,
                                              [](const T* item, Bytes other) { return name_of(*item) < other; }) -
                             all.begin());
}

template <class T>
T* StreamNameIndex<T>::find(Bytes name) const {
  const size_t position = position_of(name);
  return position < count_ && name_of(*items_[position]) == name ? items_[position] : nullptr;
}

template <class T>
void StreamNameIndex<T>::set_capacity(size_t capacity) {
  T** items = nullptr;
  if (capacity > 0) items = static_cast<T**>(memory_.allocate(capacity * sizeof(T*)));
  LARDER_ASSERT(count_ <= capacity);
  if (count_ > 0) std::memcpy(items, items_, count_ * sizeof(T*));
  if (capacity_ > 0) memory_.free(items_, capacity_ * sizeof(T*));
  items_ = items;
  capacity_ = capacity;
}

template <class T>
void StreamNameIndex<T>::insert(T* item) {
  if (count_ == capacity_) set_capacity(capacity_ == 0 ? 2 : 2 * capacity_);
  const size_t position = position_of(name_of(*item));
  std::memmove(items_ + position + 1, items_ + position, (count_ - position) * sizeof(T*));
  items_[position] = item;
  count_++;
}

template <class T>
void StreamNameIndex<T>::remove(T* item) {
  const size_t position = position_of(name_of(*item));
  LARDER_ASSERT(position < count_ && items_[position] == item);
  std::memmove(items_ + position, items_ + position + 1, (count_ - position - 1) * sizeof(T*));
  count_--;
  if (count_ == 0) {
    set_capacity(0);
  } else if (capacity_ >= 8 && count_ * 4 <= capacity_) {
    set_capacity(capacity_ / 2);
  }
}

template class StreamNameIndex<StreamConsumer>;
template class StreamNameIndex<StreamGroup>;

// ---- The group

StreamGroup* StreamGroup::create(StreamMemory& memory, Bytes name) {
  Bytes copy;
  char* block = allocate_named<StreamGroup>(memory, name, &copy);
  return new (block) StreamGroup(memory, copy);
}

void StreamGroup::destroy(StreamGroup* group) {
  while (group->free_some(SIZE_MAX)) {
  }
  StreamMemory& memory = group->memory_;
  const size_t bytes = named_bytes<StreamGroup>(group->name_);
  group->~StreamGroup();
  memory.free(group, bytes);
}

StreamConsumer* StreamGroup::create_consumer(Bytes name, int64_t now_ms) {
  Bytes copy;
  char* block = allocate_named<StreamConsumer>(memory_, name, &copy);
  auto* consumer = new (block) StreamConsumer(memory_, copy);
  consumer->seen_ms = now_ms;
  consumers_.insert(consumer);
  return consumer;
}

void StreamGroup::free_consumer(StreamConsumer* consumer) {
  const size_t bytes = named_bytes<StreamConsumer>(consumer->name);
  consumer->~StreamConsumer();
  memory_.free(consumer, bytes);
}

void StreamGroup::erase_consumer(StreamConsumer* consumer) {
  for (auto cursor = consumer->pending.first(); cursor; cursor.next()) {
    const bool was_pending = pending_.erase(cursor.id());
    LARDER_ASSERT(was_pending);
  }
  consumers_.remove(consumer);
  free_consumer(consumer);
}

void StreamGroup::assign(StreamId id, StreamConsumer* consumer, int64_t delivered_ms, uint64_t deliveries) {
  const StreamPending facts{consumer, delivered_ms, deliveries};
  if (pending_.insert(id, facts)) {
    const bool is_new = consumer->pending.insert(id, {});
    LARDER_ASSERT(is_new);
    return;
  }
  StreamPending* pending = pending_.find(id);
  if (pending->consumer != consumer) {
    const bool was_his = pending->consumer->pending.erase(id);
    const bool is_new = consumer->pending.insert(id, {});
    LARDER_ASSERT(was_his && is_new);
  }
  *pending = facts;
}

bool StreamGroup::acknowledge(StreamId id) {
  const StreamPending* pending = pending_.find(id);
  if (pending == nullptr) return false;
  const bool was_his = pending->consumer->pending.erase(id);
  LARDER_ASSERT(was_his);
  return pending_.erase(id);
}

bool StreamGroup::load_pending(StreamId id, int64_t delivered_ms, uint64_t deliveries) {
  return pending_.insert(id, {nullptr, delivered_ms, deliveries});
}

bool StreamGroup::load_owner(StreamId id, StreamConsumer* consumer) {
  StreamPending* pending = pending_.find(id);
  if (pending == nullptr || pending->consumer != nullptr) return false;
  pending->consumer = consumer;
  return consumer->pending.insert(id, {});
}

bool StreamGroup::is_fully_owned() const {
  size_t owned = 0;
  for (const StreamConsumer* consumer : consumers_.all()) owned += consumer->pending.size();
  return owned == pending_.size();
}

StreamGroup* StreamGroup::clone(StreamMemory& memory) const {
  StreamGroup* copy = create(memory, name_);
  copy->last_id = last_id;
  copy->entries_read = entries_read;
  for (auto cursor = pending_.first(); cursor; cursor.next()) {
    const StreamPending& pending = cursor.value();
    const bool is_new = copy->load_pending(cursor.id(), pending.delivered_ms, pending.deliveries);
    LARDER_ASSERT(is_new);
  }
  for (const StreamConsumer* consumer : consumers_.all()) {
    StreamConsumer* own = copy->create_consumer(consumer->name, consumer->seen_ms);
    own->active_ms = consumer->active_ms;
    for (auto cursor = consumer->pending.first(); cursor; cursor.next()) {
      const bool is_pending = copy->load_owner(cursor.id(), own);
      LARDER_ASSERT(is_pending);
    }
  }
  return copy;
}

bool StreamGroup::free_some(size_t elements_max) {
  size_t freed = 0;
  while (freed < elements_max && !pending_.empty()) freed += pending_.free_first_leaf([](StreamPending&) {});
  while (freed < elements_max && !consumers_.empty()) {
    StreamConsumer* consumer = consumers_.all().back();
    while (freed < elements_max && !consumer->pending.empty()) {
      freed += consumer->pending.free_first_leaf([](StreamNoValue&) {});
    }
    if (!consumer->pending.empty()) break;
    consumers_.remove_last();
    free_consumer(consumer);
    freed++;
  }
  return !pending_.empty() || !consumers_.empty();
}

void StreamGroup::check_integrity() const {
  pending_.check_integrity();
  size_t owned = 0;
  Bytes previous;
  for (const StreamConsumer* consumer : consumers_.all()) {
    if (owned > 0 || consumer != consumers_.all().front()) LARDER_ASSERT(previous < consumer->name);
    previous = consumer->name;
    consumer->pending.check_integrity();
    owned += consumer->pending.size();
    for (auto cursor = consumer->pending.first(); cursor; cursor.next()) {
      const StreamPending* pending = pending_.find(cursor.id());
      LARDER_ASSERT(pending != nullptr && pending->consumer == consumer);
    }
  }
  LARDER_ASSERT(owned == pending_.size());
}

}  // namespace larder
