// Sets: an intset, a listpack of members, or the members one by one.

#include <algorithm>

#include "persistence/rdb_codecs.h"
#include "persistence/rdb_table_pieces.h"
#include "storage/set_value.h"

namespace larder {
namespace {

constexpr size_t kIntsetHeaderBytes = 8;  // width (4), count (4)

bool add(RdbInput& in, const RdbLimits& limits, SetValue& set, Bytes member) {
  return set.add(member, limits.set) || in.corrupt("a set has a member twice");
}

uint32_t little_endian32(Bytes bytes) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = (value << 8) | static_cast<uint8_t>(bytes[i]);
  return value;
}

bool read_intset(RdbInput& in, RdbPlace& place) {
  if (!in.text(&place.text)) return false;
  const Bytes intset = place.text.bytes();
  if (intset.size() < kIntsetHeaderBytes) return in.corrupt("a set of integers is too short");
  const uint32_t width = little_endian32(intset);
  const uint64_t count = little_endian32(intset.substr(4));
  if ((width != 2 && width != 4 && width != 8) || intset.size() != kIntsetHeaderBytes + count * width) {
    return in.corrupt("a set of integers is damaged");
  }
  const SetIntegers numbers(width, intset.substr(kIntsetHeaderBytes));
  if (!numbers.is_sorted()) return in.corrupt("a set of integers is not in order");
  auto set = place.handle<SetValue>();
  if (set.load_integers(numbers, place.limits.set)) return true;
  char digits[kInt64TextBytesMax];
  for (size_t i = 0; i < count; i++) {
    if (!add(in, place.limits, set, Bytes(digits, write_int64(digits, numbers.at(i))))) return false;
  }
  return true;
}

bool add_each(RdbInput& in, RdbPlace& place, SetValue& set, Bytes sequence) {
  char digits[kInt64TextBytesMax];
  for (const PackedElement& element : PackedRange(sequence)) {
    if (!add(in, place.limits, set, element.text(digits))) return false;
  }
  return true;
}

bool add_packed(RdbInput& in, RdbPlace& place, Bytes sequence, size_t count) {
  auto set = place.handle<SetValue>();
  return set.load_packed(sequence, count, place.limits.set) || add_each(in, place, set, sequence);
}

bool read_listpack(RdbInput& in, RdbPlace& place) {
  if (!in.text(&place.text)) return false;
  Bytes sequence;
  size_t count;
  if (!read_listpack_frame(place.text.bytes(), &sequence, &count)) return in.corrupt("a set (listpack) is damaged");
  return add_packed(in, place, sequence, count);
}

// Members one by one in the file. Few and short ones are packed first, so that the set is made in one go.
bool read_members(RdbInput& in, RdbPlace& place, uint64_t count) {
  Buffer& packed = place.packed;
  packed.clear();
  uint64_t done = 0;
  for (const uint64_t packed_max = count <= kPackedCountMax ? count : 0; done < packed_max; done++) {
    if (!in.text(&place.text)) return false;
    const Bytes member = place.text.bytes();
    if (packed.size() + member.size() > kPackedCollectionBytesMax) break;
    const PackedText text(member);
    packed.commit_to(text.write(packed.reserve(text.total_bytes())));
  }
  if (done == count) return add_packed(in, place, packed.bytes(), count);
  auto set = place.handle<SetValue>();
  if (!add_each(in, place, set, packed.bytes())) return false;
  const SetLimits& limits = place.limits.set;
  const bool is_large = count > std::max({limits.intset_entries, limits.listpack_entries, kPackedCountMax});
  if (is_large) set.begin_large(std::min(count, in.bytes_left()));
  // Where packing ended the next member is there already.
  for (bool is_read = count <= kPackedCountMax; done < count; done++, is_read = false) {
    if (!is_read && !in.text(&place.text)) return false;
    if (!add(in, place.limits, set, place.text.bytes())) return false;
  }
  if (is_large) set.end_large();
  return true;
}

}  // namespace

bool read_rdb_set(RdbInput& in, RdbType type, RdbPlace& place) {
  if (type == RdbType::kSetIntset) return read_intset(in, place);
  if (type == RdbType::kSetListpack) return read_listpack(in, place);
  uint64_t count;
  if (!in.count(&count)) return false;
  return read_members(in, place, count);
}

RdbType rdb_set_type(Store& store, const Entry& entry, int version) {
  if (entry.encoding() == Encoding::kPackedIntegers) return RdbType::kSetIntset;
  const bool listpack = RdbEntryHandle<SetValue>(store, entry)->form() == SetForm::kListpack;
  return entry.encoding() == Encoding::kPacked && listpack && version >= rdb_version_of(RdbType::kSetListpack)
             ? RdbType::kSetListpack
             : RdbType::kSet;
}

void write_packed_rdb_set(RdbEncoder& out, RdbType type, Store& store, const Entry& entry) {
  const RdbEntryHandle<SetValue> set(store, entry);
  if (type == RdbType::kSetIntset) {
    const SetIntegers numbers(entry.value());
    char* at = out.text_room(kIntsetHeaderBytes + numbers.numbers().size());
    for (const uint64_t value : {uint64_t{numbers.width()}, uint64_t{numbers.size()}}) {
      for (size_t i = 0; i < 4; i++) *at++ = static_cast<char>(value >> (8 * i));
    }
    std::memcpy(at, numbers.numbers().data(), numbers.numbers().size());
    return;
  }
  if (type == RdbType::kSetListpack) return out.listpack(entry.value().substr(kPackedHeadBytes), set->size());
  out.length(set->size());
  set->for_each([&](Bytes member) { out.text(member); });
}

std::unique_ptr<RdbPieces> rdb_set_pieces(const SetStructure& set) {
  class Pieces final : public RdbTablePieces {
   public:
    explicit Pieces(const SetStructure& set) : RdbTablePieces(set), set_(set) {}

   private:
    uint64_t walk_some(RdbEncoder& out, uint64_t position) override {
      return set_.scan_items(position, [&](const SetMember& member) { meet(out, &member); });
    }
    void write_item(RdbEncoder& out, const void* item) const override { out.text(name_of(item)); }
    Bytes name_of(const void* item) const override { return static_cast<const SetMember*>(item)->text(); }
    const SetStructure& set_;
  };
  return std::make_unique<Pieces>(set);
}

}  // namespace larder
