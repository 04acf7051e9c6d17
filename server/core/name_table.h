#pragma once

// Things that are found by their name: channels, patterns, tracked keys; or by database and key: watched keys, those that clients
// wait for. A thin owner around the hash table.
//
//     struct Channel { std::string name; uint64_t hash; ... };
//     NameTable<Channel> channels(seed);
//     Channel& news = channels.find_or_add("news");
//
// Item has `std::string name` and `uint64_t hash`, which the table sets and nobody changes, and is default constructible. With
// NameTable<Item, ByDatabaseAndKey> it has `uint16_t db` and `std::string key` in place of the name.
// Items stay where they are until they are removed. Look-ups cost what a key's look-up costs; names come from clients,
// so the hash is seeded.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/random.h"
#include "storage/hash.h"
#include "storage/hash_table.h"

namespace larder {

// What items are found by.
struct ByName {
  using Name = Bytes;
  template <class T>
  static Name of(const T& item) {
    return item.name;
  }
  template <class T>
  static void give(T& item, Name name) {
    item.name = name;
  }
  static uint64_t hash(Name name, uint64_t seed) { return hash_bytes(name, seed); }
};

struct ByDatabaseAndKey {
  struct Name {
    uint16_t db;
    Bytes key;
    bool operator==(const Name&) const = default;
  };
  template <class T>
  static Name of(const T& item) {
    return {item.db, item.key};
  }
  template <class T>
  static void give(T& item, Name name) {
    item.db = name.db;
    item.key = name.key;
  }
  static uint64_t hash(Name name, uint64_t seed) { return hash_bytes(name.key, seed + name.db); }
};

template <class T, class By = ByName>
class NameTable {
 public:
  using Name = typename By::Name;

  explicit NameTable(uint64_t hash_seed) : hash_seed_(hash_seed), table_(Policy{}, account_) {}
  ~NameTable() { clear(); }
  NameTable(const NameTable&) = delete;
  NameTable& operator=(const NameTable&) = delete;

  size_t size() const { return table_.size(); }
  bool empty() const { return table_.empty(); }
  // Of the table; the items are the owner's to count.
  size_t table_bytes() const { return table_.bytes_allocated(); }

  // Null when there is none of that name.
  T* find(Name name) const {
    if (table_.empty()) return nullptr;
    const auto* slot = table_.find(By::hash(name, hash_seed_), name);
    return slot == nullptr ? nullptr : slot->item();
  }
  T& find_or_add(Name name) {
    const uint64_t hash = By::hash(name, hash_seed_);
    if (const auto* slot = table_.find(hash, name)) return *slot->item();
    auto item = std::make_unique<T>();
    By::give(*item, name);
    item->hash = hash;
    return *table_.insert_new(hash, item.release())->item();
  }
  // Destroys the item.
  void remove(T& item) {
    const auto* slot = table_.find(item.hash, By::of(item));
    LARDER_ASSERT(slot != nullptr && slot->item() == &item);
    table_.erase(item.hash, slot);
    const std::unique_ptr<T> owned(&item);
  }
  // An item drawn about uniformly, null for an empty table.
  T* draw(Random& random) const {
    const auto* slot = table_.random_slot(random);
    return slot == nullptr ? nullptr : slot->item();
  }
  // In no particular order; `visit` adds and removes nothing.
  template <class Visit>
  void for_each(Visit visit) const {
    table_.for_each([&](const T& item) { visit(item); });
  }
  void clear() {
    for (uint64_t position = 0; !table_.empty();) position = drain(position);
  }
  // Destroys the items of one segment, about 600: from position 0 on, each result is the next position. Until all of them are gone
  // the table may not be used for anything else. Requires: it is not empty.
  uint64_t drain(uint64_t position) {
    return table_.drain(position, [](T* item) { const std::unique_ptr<T> owned(item); });
  }

 private:
  struct Policy {
    using Item = T;
    using Key = Name;
    static bool equal(const Item& item, const Key& name) { return By::of(item) == name; }
    static uint64_t hash(const Item& item) { return item.hash; }
    static void prefetch(const Item* item) { prefetch_line(item); }
  };

  const uint64_t hash_seed_;
  HashTableAccount account_;
  HashTable<Policy> table_;
};

}  // namespace larder
