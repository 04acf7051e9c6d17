// Every key is read into a store of its own, written as the commands that make it, and forgotten.
//
//   string   SET                     list     RPUSH ...
//   set      SADD ...                sorted set   ZADD ...
//   hash     HSET ..., HPEXPIREAT for each field with a deadline
//   stream   XADD for each entry, XSETID, for each group XGROUP CREATE, CREATECONSUMER, XCLAIM for each pending entry
//   then PEXPIREAT for a key with a deadline; in front of all keys FUNCTION LOAD for each library
//
// Commands have at most kItemsMax elements, as those of Redis. Rejected: writing commands on the loop in place of RDB (the
// walk would need a second writer for each type in pieces); this runs on the helper thread behind the walk.

#include "persistence/rdb_commands.h"

#include <initializer_list>

#include "base/buffer.h"
#include "base/number_text.h"
#include "persistence/aof_format.h"
#include "persistence/rdb_codecs.h"
#include "persistence/rdb_look.h"
#include "storage/string_value.h"

namespace larder {
namespace {

constexpr size_t kItemsMax = 64;
constexpr size_t kPieceBytes = 256 * 1024;

// A number as text, with the bytes it lies in.
class Number {
 public:
  explicit Number(int64_t number) : size_(write_int64(text_, number)) {}
  explicit Number(uint64_t number) : size_(write_uint64(text_, number)) {}
  explicit Number(double number) : size_(write_double(text_, number)) {}
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;
  operator Bytes() const { return {text_, size_}; }

 private:
  char text_[kDoubleTextBytesMax];
  size_t size_;
};

// Gathers commands into groups. Whoever loads the file has it as a whole, so each group says that those in front of it are
// durable, and a line at the end says it of the last: what is broken in between is damage, never an unfinished write, and a
// file without that line has lost its end.
class Commands {
 public:
  using Write = std::function<Status(Bytes)>;

  // `write` outlives this.
  Commands(uint64_t salt, const Write& write) : salt_(salt), write_(write) {
    char line[kAofFileLineBytes];
    write_aof_file_line(line, AofFileKind::kBase, salt_);
    written_ = write_({line, sizeof line});
    begin_group();
  }

  // Of the first piece that was not written; nothing is written behind it.
  const Status& written() const { return written_; }
  void finish() {
    flush(1);
    char line[kAofDurableLineBytes];
    write_aof_durable_line(line, salt_, sequence_);
    if (written_.ok()) written_ = write_({line, sizeof line});
  }

  void put(std::initializer_list<Bytes> words) {
    append_aof_command(out_, {words.begin(), words.size()});
    flush(kPieceBytes);
  }

  // A command that takes many items: its head, then words; it is ended and begun anew after every kItemsMax items.
  void begin(Bytes name, Bytes key) { head_[0] = name, head_[1] = key; }
  void word(Bytes word) {
    char digits[kInt64TextBytesMax];
    words_.append('$');
    words_.append({digits, write_uint64(digits, word.size())});
    words_.append("\r\n");
    words_.append(word);
    words_.append("\r\n");
    ++word_count_;
  }
  void end_item() {
    if (++item_count_ == kItemsMax) end();
  }
  void end() {
    if (item_count_ == 0) return;
    Buffer items;
    items.swap(words_);
    const size_t item_words = word_count_;
    for (const Bytes head : head_) word(head);
    out_.append('*');
    out_.append(Number(uint64_t{item_words + 2}));
    out_.append("\r\n");
    out_.append(words_.bytes());
    out_.append(items.bytes());
    words_.swap(items);
    words_.clear();
    word_count_ = item_count_ = 0;
    flush(kPieceBytes);
  }

 private:
  void begin_group() {
    out_.clear();
    out_.reserve(kAofGroupLineBytes);
    out_.commit(kAofGroupLineBytes);
  }
  // Writes the group if it has so many bytes.
  void flush(size_t bytes_min) {
    if (out_.size() < kAofGroupLineBytes + bytes_min) return;
    if (written_.ok()) {
      write_aof_group_line(out_.mutable_data(), salt_, sequence_ + 1, sequence_,
                           out_.bytes().substr(kAofGroupLineBytes));
      written_ = write_(out_.bytes());
      ++sequence_;
    }
    begin_group();
  }

  const uint64_t salt_;
  const Write& write_;
  Status written_;
  uint64_t sequence_ = 0;  // of the last group
  Buffer out_;             // room for the group's line, then commands
  Bytes head_[2];
  Buffer words_;
  size_t word_count_ = 0;
  size_t item_count_ = 0;
};

class EntryWriter {
 public:
  EntryWriter(Store& store, Commands& commands) : store_(store), to_(commands) {}

  void write(int db, const Entry& entry) {
    if (db != db_) to_.put({"SELECT", Number(int64_t{db})});
    db_ = db;
    key_ = entry.key();
    switch (entry.type()) {
      case ValueType::kString:
        to_.put({"SET", key_, RdbEntryHandle<StringValue>(store_, entry)->text().bytes()});
        break;
      case ValueType::kList:
        write_list(entry);
        break;
      case ValueType::kSet:
        write_set(entry);
        break;
      case ValueType::kHash:
        write_hash(entry);
        break;
      case ValueType::kZset:
        write_zset(entry);
        break;
      case ValueType::kStream:
        write_stream(RdbEntryHandle<StreamValue>(store_, entry)->stream());
        break;
    }
    if (entry.deadline_ms() != kNoDeadline) to_.put({"PEXPIREAT", key_, Number(entry.deadline_ms())});
  }

 private:
  void write_list(const Entry& entry) {
    const RdbEntryHandle<ListValue> list(store_, entry);
    char digits[kInt64TextBytesMax];
    to_.begin("RPUSH", key_);
    list->visit(0, list->size(), [&](const PackedElement& element) {
      to_.word(element.text(digits));
      to_.end_item();
    });
    to_.end();
  }

  void write_set(const Entry& entry) {
    to_.begin("SADD", key_);
    RdbEntryHandle<SetValue>(store_, entry)->for_each([&](Bytes member) {
      to_.word(member);
      to_.end_item();
    });
    to_.end();
  }

  void write_hash(const Entry& entry) {
    const RdbEntryHandle<HashValue> hash(store_, entry);
    to_.begin("HSET", key_);
    hash->for_each([&](const HashFieldView& field) {
      to_.word(field.name);
      to_.word(field.value);
      to_.end_item();
    });
    to_.end();
    hash->for_each([&](const HashFieldView& field) {
      if (field.deadline_ms == kNoDeadline) return;
      to_.put({"HPEXPIREAT", key_, Number(field.deadline_ms), "FIELDS", "1", field.name});
    });
  }

  void write_zset(const Entry& entry) {
    const RdbEntryHandle<ZsetValue> zset(store_, entry);
    to_.begin("ZADD", key_);
    zset->visit({0, zset->size()}, false, [&](Bytes member, double score) {
      to_.word(Number(score));
      to_.word(member);
      to_.end_item();
    });
    to_.end();
  }

  void write_stream(const StreamStructure& stream) {
    char name_digits[kInt64TextBytesMax];
    char value_digits[kInt64TextBytesMax];
    StreamIterator entries(stream, kStreamIdMin, kStreamIdMax);
    for (StreamEntry entry; entries.next(&entry);) {
      to_.begin("XADD", key_);
      to_.word(StreamIdText(entry.id));
      entry.for_each_field([&](const PackedElement& name, const PackedElement& value) {
        to_.word(name.text(name_digits));
        to_.word(value.text(value_digits));
      });
      to_.end_item();
      to_.end();
    }
    // A stream without entries: one comes and goes.
    if (stream.length() == 0) to_.put({"XADD", key_, "MAXLEN", "0", "0-1", "x", "y"});
    to_.put({"XSETID", key_, StreamIdText(stream.last_id()), "ENTRIESADDED", Number(stream.entries_added()),
             "MAXDELETEDID", StreamIdText(stream.max_deleted_id())});
    for (const StreamGroup* group : stream.groups()) write_group(*group);
  }

  void write_group(const StreamGroup& group) {
    to_.put({"XGROUP", "CREATE", key_, group.name(), StreamIdText(group.last_id), "ENTRIESREAD",
             Number(int64_t{group.entries_read})});
    for (const StreamConsumer* consumer : group.consumers()) {
      to_.put({"XGROUP", "CREATECONSUMER", key_, group.name(), consumer->name});
      for (auto owned = consumer->pending.first(); owned; owned.next()) {
        const StreamPending& pending = *group.find_pending(owned.id());
        to_.put({"XCLAIM", key_, group.name(), consumer->name, "0", StreamIdText(owned.id()), "TIME",
                 Number(pending.delivered_ms), "RETRYCOUNT", Number(uint64_t{pending.deliveries}), "JUSTID", "FORCE"});
      }
    }
  }

  Store& store_;
  Commands& to_;
  Bytes key_;
  int db_ = 0;
};

}  // namespace

Status write_rdb_as_commands(File& rdb, uint64_t rdb_bytes, uint64_t salt, const std::function<Status(Bytes)>& write) {
  RdbLook look(rdb, rdb_bytes, 0);
  Commands commands(salt, write);
  EntryWriter writer(look.store(), commands);
  look.loader().on_function = [&](Bytes source) {
    commands.put({"FUNCTION", "LOAD", source});
    return Status();
  };
  look.loader().on_looked_at = [&](int db, const Entry& entry) { writer.write(db, entry); };
  LARDER_TRY(look.run([&] { return commands.written().ok(); }));
  commands.finish();
  return commands.written();
}

}  // namespace larder
