// Hashes: pairs packed in a listpack (in old files a ziplist or a zipmap) or one by one; with deadlines of fields, triples.
//
//   kHashListpackEx   earliest deadline (8) │ listpack of field, value, deadline (0: none), earliest first, none last
//   kHashMetadata     earliest deadline (8) │ count │ (deadline - earliest + 1, 0: none │ field │ value) ...
//   the pre-release forms of both lack the earliest deadline, and the second has deadlines as they are
//   kHashValkey       count │ (field │ value │ deadline (8, -1: none)) ...
//
// Deadlines are milliseconds since 1970. A field whose deadline is over is not loaded.

#include <algorithm>
#include <vector>

#include "persistence/rdb_codecs.h"
#include "persistence/rdb_table_pieces.h"
#include "storage/hash_value.h"

namespace larder {
namespace {

constexpr size_t kDeadlineBytes = 8;

// The least that a field takes: the lengths of an empty name and an empty value.
constexpr uint64_t kFieldBytesMin = 2;

class Builder {
 public:
  Builder(RdbInput& in, RdbPlace& place)
      : in_(in),
        place_(place),
        hash_(place.handle<HashValue>()),
        keeps_all_(place.keyspace.store().expiry_mode() == ExpiryMode::kKeep) {}

  // Before and after fields without deadlines that are more than could be packed.
  void begin_large(uint64_t count) { hash_.begin_large(std::min(count, in_.bytes_left() / kFieldBytesMin)); }
  void end_large() { hash_.end_large(); }
  bool add(Bytes name, Bytes value, int64_t deadline_ms = kNoDeadline) {
    if (deadline_ms <= place_.now_ms && !keeps_all_) return true;
    const DeadlineRule rule = deadline_ms == kNoDeadline ? DeadlineRule::none() : DeadlineRule::at(deadline_ms);
    return hash_.set(name, value, place_.limits.hash, rule) || in_.corrupt("a hash has a field twice");
  }

 private:
  RdbInput& in_;
  RdbPlace& place_;
  HashValue hash_;
  bool keeps_all_;
};

// Of a deadline as a file has it, where 0 stands for none. Nothing: it is none at all.
std::optional<int64_t> deadline_of(uint64_t stored) {
  if (stored == 0) return kNoDeadline;
  if (stored >= static_cast<uint64_t>(kNoDeadline)) return {};
  return static_cast<int64_t>(stored);
}

bool is_ziplist(RdbType type) { return type == RdbType::kHashZiplist; }

// The elements of a packed hash, whatever packed it.
bool unpack(RdbType type, RdbPlace& place, Bytes* sequence, size_t* count) {
  if (!is_ziplist(type) && type != RdbType::kHashZipmap) {
    return read_listpack_frame(place.text.bytes(), sequence, count);
  }
  place.packed.clear();
  const bool good = is_ziplist(type) ? read_ziplist(place.text.bytes(), &place.packed, count)
                                     : read_zipmap(place.text.bytes(), &place.packed, count);
  *sequence = place.packed.bytes();
  return good;
}

bool read_packed_hash(RdbInput& in, RdbType type, RdbPlace& place) {
  const bool with_deadlines = type == RdbType::kHashListpackEx || type == RdbType::kHashListpackExPreGa;
  uint64_t earliest;
  if (type == RdbType::kHashListpackEx && !in.little_endian(kDeadlineBytes, &earliest)) return false;
  if (!in.text(&place.text)) return false;
  Bytes sequence;
  size_t count = 0;
  if (!unpack(type, place, &sequence, &count) || count % (with_deadlines ? 3 : 2) != 0) {
    return in.corrupt("a packed hash is damaged");
  }
  if (!with_deadlines && place.handle<HashValue>().load_packed(sequence, count, place.limits.hash)) return true;
  Builder builder(in, place);
  char name_digits[kInt64TextBytesMax];
  char value_digits[kInt64TextBytesMax];
  const char* const end = sequence.data() + sequence.size();
  for (const char* at = sequence.data(); at != end;) {
    const PackedElement name = read_packed(at);
    const PackedElement value = read_packed(name.end());
    at = value.end();
    std::optional<int64_t> deadline_ms = kNoDeadline;
    if (with_deadlines) {
      const PackedElement deadline = read_packed(at);
      at = deadline.end();
      deadline_ms.reset();
      if (deadline.is_integer && deadline.number >= 0)
        deadline_ms = deadline_of(static_cast<uint64_t>(deadline.number));
    }
    if (!deadline_ms) return in.corrupt("a field's deadline is no time");
    if (!builder.add(name.text(name_digits), value.text(value_digits), *deadline_ms)) return false;
  }
  return true;
}

// What is in front of a field, where deadlines are.
bool read_deadline_before(RdbInput& in, RdbType type, uint64_t earliest, int64_t* deadline_ms) {
  *deadline_ms = kNoDeadline;
  if (type != RdbType::kHashMetadata && type != RdbType::kHashMetadataPreGa) return true;
  uint64_t stored;
  if (!in.length(&stored)) return false;
  if (stored != 0 && type == RdbType::kHashMetadata && __builtin_add_overflow(stored - 1, earliest, &stored)) {
    return in.corrupt("a field's deadline is no time");
  }
  const auto deadline = deadline_of(stored);
  if (!deadline) return in.corrupt("a field's deadline is no time");
  *deadline_ms = *deadline;
  return true;
}

// What is behind a field, in Valkey's form.
bool read_deadline_behind(RdbInput& in, RdbType type, int64_t* deadline_ms) {
  if (type != RdbType::kHashValkey) return true;
  uint64_t stored;
  if (!in.little_endian(kDeadlineBytes, &stored)) return false;
  if (stored == UINT64_MAX) return true;
  const auto deadline = deadline_of(stored);
  if (!deadline) return in.corrupt("a field's deadline is no time");
  *deadline_ms = *deadline;
  return true;
}

bool read_fields(RdbInput& in, RdbType type, RdbPlace& place) {
  uint64_t earliest = 0;
  if (type == RdbType::kHashMetadata && !in.little_endian(kDeadlineBytes, &earliest)) return false;
  uint64_t count;
  if (!in.count(&count)) return false;
  Builder builder(in, place);
  const bool is_large = type == RdbType::kHash && count > std::max(place.limits.hash.listpack_entries, kPackedCountMax);
  if (is_large) builder.begin_large(count);
  for (uint64_t i = 0; i < count; i++) {
    int64_t deadline_ms;
    if (!read_deadline_before(in, type, earliest, &deadline_ms) || !in.text(&place.text)) return false;
    place.text.keep();
    if (!in.text(&place.second)) return false;
    place.second.keep();
    if (!read_deadline_behind(in, type, &deadline_ms)) return false;
    if (!builder.add(place.text.bytes(), place.second.bytes(), deadline_ms)) return false;
  }
  if (is_large) builder.end_large();
  return true;
}

uint64_t relative_deadline(int64_t deadline_ms, int64_t earliest_ms) {
  return deadline_ms == kNoDeadline ? 0 : static_cast<uint64_t>(deadline_ms - earliest_ms) + 1;
}

void write_field(RdbEncoder& out, const HashFieldView& field, bool with_deadline, int64_t earliest_ms) {
  if (with_deadline) out.length(relative_deadline(field.deadline_ms, earliest_ms));
  out.text(field.name);
  out.text(field.value);
}

// The fields of a packed hash with deadlines.
void write_listpack_ex(RdbEncoder& out, const RdbEntryHandle<HashValue>& hash, int64_t earliest_ms) {
  struct Place {
    int64_t deadline_ms;
    size_t offset;
    size_t bytes;
  };
  std::vector<Place> places;
  Buffer triples;
  const auto put = [&](const PackedText& text) { triples.commit_to(text.write(triples.reserve(text.total_bytes()))); };
  hash->for_each([&](const HashFieldView& field) {
    const size_t offset = triples.size();
    put(PackedText(field.name));
    put(PackedText(field.value));
    put(PackedText(field.deadline_ms == kNoDeadline ? int64_t{0} : field.deadline_ms));
    places.push_back({field.deadline_ms, offset, triples.size() - offset});
  });
  std::stable_sort(places.begin(), places.end(),
                   [](const Place& a, const Place& b) { return a.deadline_ms < b.deadline_ms; });
  Buffer sorted;
  for (const Place& place : places) sorted.append(triples.bytes().substr(place.offset, place.bytes));
  out.little_endian(static_cast<uint64_t>(earliest_ms), kDeadlineBytes);
  out.listpack(sorted.bytes(), 3 * places.size());
}

// The first deadline of a packed hash; kNoDeadline without any.
int64_t earliest_deadline(const RdbEntryHandle<HashValue>& hash) {
  int64_t earliest_ms = kNoDeadline;
  hash->for_each([&](const HashFieldView& field) { earliest_ms = std::min(earliest_ms, field.deadline_ms); });
  return earliest_ms;
}

}  // namespace

bool read_rdb_hash(RdbInput& in, RdbType type, RdbPlace& place) {
  switch (type) {
    case RdbType::kHash:
    case RdbType::kHashMetadata:
    case RdbType::kHashMetadataPreGa:
    case RdbType::kHashValkey:
      return read_fields(in, type, place);
    default:
      return read_packed_hash(in, type, place);
  }
}

RdbType rdb_hash_type(Store& store, const Entry& entry) {
  if (entry.encoding() == Encoding::kStructure) {
    const bool any = static_cast<const HashStructure*>(entry.structure())->volatile_count() > 0;
    return any ? RdbType::kHashMetadata : RdbType::kHash;
  }
  const PackedHead head(entry.value());
  const bool any = head.has_deadlines() && earliest_deadline(RdbEntryHandle<HashValue>(store, entry)) != kNoDeadline;
  if (any) return head.shown_as_table() ? RdbType::kHashMetadata : RdbType::kHashListpackEx;
  return head.shown_as_table() || head.has_deadlines() ? RdbType::kHash : RdbType::kHashListpack;
}

void write_packed_rdb_hash(RdbEncoder& out, RdbType type, Store& store, const Entry& entry) {
  const RdbEntryHandle<HashValue> hash(store, entry);
  if (type == RdbType::kHashListpack) return out.listpack(entry.value().substr(kPackedHeadBytes), 2 * hash->size());
  const int64_t earliest_ms = earliest_deadline(hash);
  if (type == RdbType::kHashListpackEx) return write_listpack_ex(out, hash, earliest_ms);
  const bool with_deadlines = type == RdbType::kHashMetadata;
  if (with_deadlines) out.little_endian(static_cast<uint64_t>(earliest_ms), kDeadlineBytes);
  out.length(hash->size());
  hash->for_each([&](const HashFieldView& field) { write_field(out, field, with_deadlines, earliest_ms); });
}

std::unique_ptr<RdbPieces> rdb_hash_pieces(const HashStructure& hash) {
  class Pieces final : public RdbTablePieces {
   public:
    explicit Pieces(const HashStructure& hash)
        : RdbTablePieces(hash), hash_(hash), with_deadlines_(hash.volatile_count() > 0), earliest_ms_(hash.due_ms()) {}

   private:
    void write_head(RdbEncoder& out, uint64_t count) override {
      if (with_deadlines_) out.little_endian(static_cast<uint64_t>(earliest_ms_), kDeadlineBytes);
      out.length(count);
    }
    uint64_t walk_some(RdbEncoder& out, uint64_t position) override {
      return hash_.scan_items(position, [&](const HashField& field) { meet(out, &field); });
    }
    void write_item(RdbEncoder& out, const void* item) const override {
      write_field(out, static_cast<const HashField*>(item)->view(), with_deadlines_, earliest_ms_);
    }
    Bytes name_of(const void* item) const override { return static_cast<const HashField*>(item)->name(); }

    const HashStructure& hash_;
    const bool with_deadlines_;
    const int64_t earliest_ms_;
  };
  return std::make_unique<Pieces>(hash);
}

}  // namespace larder
