// A store with every type of value in its small and its large form, and what tests need to compare stores.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "base/number_text.h"
#include "persistence/crc64.h"
#include "persistence/rdb_loader.h"
#include "persistence/rdb_writer.h"
#include "storage/keyspace.h"

namespace larder {

inline constexpr int64_t kSampleNowMs = 1000;

class RdbSample {
 public:
  // The large forms have so many elements: enough for a structure, from 70 on.
  explicit RdbSample(Store& store, int large_count) : store_(store), large_count_(large_count) {}

  void fill() {
    store_.database(0).assign_string(store_.hashed("string"), "text", DeadlineRule::none(), kSampleNowMs);
    store_.database(0).assign_string(store_.hashed("string:long"), std::string(300, 'z'), DeadlineRule::at(90000),
                                     kSampleNowMs);
    store_.database(1).assign_string(store_.hashed("string:number"), "-70000", DeadlineRule::none(), kSampleNowMs);
    for (const int count : {3, large_count_}) {
      const std::string size = std::to_string(count);
      fill_list("list:" + size, count);
      fill_set("set:" + size, count);
      fill_hash("hash:" + size, count, false);
      fill_hash("hash:deadlines:" + size, count, true);
      fill_zset("zset:" + size, count);
      fill_stream("stream:" + size, count);
    }
    auto integers = handle<SetValue>("set:integers");
    for (int i = 0; i < 20; i++) integers.add(std::to_string(i * 1000), {});
    auto plain = handle<ListValue>("list:plain");
    for (const size_t size : {1, 5000, 2}) plain.push(ListEnd::kBack, std::string(size, 'p'));
    handle<StreamValue>("stream:empty").stream_or_create();
  }

 private:
  template <class Value>
  Value handle(const std::string& key) {
    keys_.push_back(key);
    return *store_.database(0).edit_or_create<Value>(store_.hashed(keys_.back()), kSampleNowMs);
  }
  static std::string item(int i) { return i % 3 == 0 ? std::to_string(i * 37) : "item " + std::to_string(i); }

  void fill_list(const std::string& key, int count) {
    auto list = handle<ListValue>(key);
    for (int i = 0; i < count * 3; i++) {
      list.expect_growth(item(i).size(), 1, {});
      list.push(ListEnd::kBack, item(i));
    }
  }
  void fill_set(const std::string& key, int count) {
    auto set = handle<SetValue>(key);
    for (int i = 0; i < count; i++) set.add(item(i), {});
  }
  void fill_hash(const std::string& key, int count, bool deadlines) {
    auto hash = handle<HashValue>(key);
    for (int i = 0; i < count; i++) {
      hash.set(item(i), "value " + std::to_string(i), {},
               deadlines && i % 2 == 0 ? DeadlineRule::at(100000 - i) : DeadlineRule::none());
    }
  }
  void fill_zset(const std::string& key, int count) {
    auto zset = handle<ZsetValue>(key);
    for (int i = 0; i < count; i++) zset.put(item(i), i % 10 / 4.0, {}, {.members_max = 60});
  }
  void fill_stream(const std::string& key, int count) {
    StreamStructure& stream = handle<StreamValue>(key).stream_or_create();
    for (int i = 1; i <= count; i++) {
      const std::string value = item(i);
      const Bytes fields[] = {"name", value, i % 5 == 0 ? "other" : "second", "x"};
      stream.append({static_cast<uint64_t>(i), 7}, fields, {});
    }
    stream.erase({2, 7});
    StreamGroup* group = stream.create_group("group", {static_cast<uint64_t>(count / 2), 7}, count / 2);
    StreamConsumer* consumer = group->create_consumer("consumer", 500);
    group->create_consumer("idle", 600);
    for (int i = 1; i <= count / 2; i++) group->assign({static_cast<uint64_t>(i), 7}, consumer, 400 + i, 1);
    stream.create_group("other", {0, 0}, kEntriesReadUnknown);
  }

  Store& store_;
  int large_count_;
  std::vector<std::string> keys_;
};

// A whole file with what is in the store, or with one key of it.
inline std::string make_rdb_file(Store& store, const RdbWriteOptions& options, bool compress, Bytes only_key = {}) {
  RdbChunk chunk;
  RdbEncoder out(chunk);
  const RdbWriter writer(store, options);
  writer.header(out);
  writer.aux(out, "redis-ver", "7.2.4");
  writer.function(out, "#!lua name=library");
  for (int db = 0; db < store.database_count(); db++) {
    writer.select(out, db, store.database(db).size(), 0);
    store.database(db).for_each([&](const Entry& entry) {
      if (only_key.empty() || entry.key() == only_key) writer.entry(out, entry);
    });
  }
  writer.end(out);
  Buffer finished;
  finish_rdb_chunk(chunk, compress, &finished);
  std::string file(finished.bytes());
  const uint64_t sum = crc64(0, file);
  for (size_t i = 0; i < kRdbChecksumBytes; i++) file.push_back(static_cast<char>(sum >> (8 * i)));
  return file;
}

// Everything about an entry as text that does not depend on the order in a hash table.
inline std::string describe_stream(const StreamStructure& stream) {
  std::string text;
  const auto id_text = [](StreamId id) { return std::string(StreamIdText(id).bytes()); };
  for (auto node = stream.nodes().first(); node; node.next()) {
    text += id_text(node.id()) + "=" + std::string(node.value()->sequence()) + ";";
  }
  const auto facts = stream.facts();
  text += std::to_string(facts.length) + " " + id_text(facts.last_id) + " " + id_text(facts.first_id) + " " +
          id_text(facts.max_deleted_id) + " " + std::to_string(facts.entries_added);
  for (const StreamGroup* group : stream.groups()) {
    text +=
        "\n" + std::string(group->name()) + " " + id_text(group->last_id) + " " + std::to_string(group->entries_read);
    for (auto at = group->pending().first(); at; at.next()) {
      text += " " + id_text(at.id()) + "@" + std::to_string(at.value().delivered_ms) + "*" +
              std::to_string(at.value().deliveries) + std::string(at.value().consumer->name);
    }
    for (const StreamConsumer* consumer : group->consumers()) {
      text += "|" + std::string(consumer->name) + " " + std::to_string(consumer->seen_ms) + " " +
              std::to_string(consumer->active_ms);
    }
  }
  return text;
}

inline std::string describe_entry(Store& store, const Entry& entry) {
  std::vector<std::string> items;
  switch (entry.type()) {
    case ValueType::kString:
      items.push_back(dump_entry(store, entry, {}, false));
      break;
    case ValueType::kList:
      RdbEntryHandle<ListValue>(store, entry)->visit_packed([&](Bytes sequence, size_t) {
        char digits[kInt64TextBytesMax];
        for (const PackedElement& element : PackedRange(sequence)) {
          items.push_back(std::to_string(items.size() + 1000000) + std::string(element.text(digits)));
        }
      });
      break;
    case ValueType::kSet:
      RdbEntryHandle<SetValue>(store, entry)->for_each([&](Bytes member) { items.emplace_back(member); });
      break;
    case ValueType::kHash:
      RdbEntryHandle<HashValue>(store, entry)->for_each([&](const HashFieldView& field) {
        items.push_back(std::string(field.name) + "=" + std::string(field.value) + "@" +
                        std::to_string(field.deadline_ms));
      });
      break;
    case ValueType::kZset:
      RdbEntryHandle<ZsetValue>(store, entry)->visit_all([&](Bytes member, double score) {
        items.push_back(std::string(member) + "=" + std::to_string(score));
      });
      break;
    case ValueType::kStream:
      items.push_back(describe_stream(RdbEntryHandle<StreamValue>(store, entry)->stream()));
      break;
  }
  std::sort(items.begin(), items.end());
  std::string text = std::to_string(static_cast<int>(entry.type())) + " until " + std::to_string(entry.deadline_ms());
  for (const std::string& one : items) text += "\n" + one;
  return text;
}

// One text per key, in order.
inline std::vector<std::string> describe_store(Store& store) {
  std::vector<std::string> keys;
  for (int db = 0; db < store.database_count(); db++) {
    store.database(db).for_each([&](const Entry& entry) {
      keys.push_back(std::to_string(db) + " " + std::string(entry.key()) + " " + describe_entry(store, entry));
    });
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

// Every invariant of every value.
inline void check_store(Store& store) {
  for (int db = 0; db < store.database_count(); db++) {
    Keyspace& keyspace = store.database(db);
    keyspace.check_integrity();
    keyspace.for_each([&](const Entry& entry) {
      if (entry.encoding() == Encoding::kStructure) return entry.structure()->check_integrity();
      if (entry.type() == ValueType::kSet) RdbEntryHandle<SetValue>(store, entry)->check_integrity();
      if (entry.type() == ValueType::kHash) RdbEntryHandle<HashValue>(store, entry)->check_integrity();
      if (entry.type() == ValueType::kZset) RdbEntryHandle<ZsetValue>(store, entry)->check_integrity();
    });
  }
}

}  // namespace larder
