// Sorted sets: a listpack of members and scores, or members one by one with scores of 8 bytes (in old files as text).

#include <algorithm>
#include <cmath>
#include <limits>

#include "persistence/rdb_codecs.h"
#include "persistence/rdb_table_pieces.h"
#include "storage/zset_value.h"

namespace larder {
namespace {

// Lengths of a score as text that stand for something else.
constexpr uint8_t kTextNan = 253;
constexpr uint8_t kTextInfinity = 254;
constexpr uint8_t kTextMinusInfinity = 255;
// The least that a member and its score take: their lengths.
constexpr uint64_t kMemberBytesMin = 2;

bool read_text_score(RdbInput& in, double* score) {
  uint8_t size;
  if (!in.byte(&size)) return false;
  if (size == kTextNan) return in.corrupt("a score that is no number");
  *score = size == kTextInfinity ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
  if (size == kTextInfinity || size == kTextMinusInfinity) return true;
  Bytes text;
  if (!in.raw(size, &text)) return false;
  const auto number = parse_double(text);
  if (!number || std::isnan(*number)) return in.corrupt("a score that is no number");
  *score = *number;
  return true;
}

bool read_members(RdbInput& in, RdbType type, RdbPlace& place) {
  uint64_t count;
  if (!in.count(&count)) return false;
  if (count == 0) return true;
  auto zset = place.handle<ZsetValue>();
  ZsetStructure* built = zset.new_structure();
  built->expect(std::min(count, in.bytes_left() / kMemberBytesMin));
  bool good = true;
  for (uint64_t i = 0; good && i < count; i++) {
    double score = 0;
    good = in.text(&place.text);
    if (!good) break;
    place.text.keep();
    good = type == RdbType::kZset2 ? in.double_bytes(&score) : read_text_score(in, &score);
    if (good && std::isnan(score)) good = in.corrupt("a score that is no number");
    if (!good) break;
    const HashedKey member = built->hashed(place.text.bytes());
    if (built->find(member) != nullptr) {
      good = in.corrupt("a sorted set has a member twice");
    } else {
      built->add_unordered(member, score);
    }
  }
  built->put_in_order(in.on_progress);
  if (good) {
    zset.assign(built, place.limits.zset);
  } else {
    place.keyspace.store().dispose(built);
  }
  return good;
}

}  // namespace

bool read_rdb_zset(RdbInput& in, RdbType type, RdbPlace& place) {
  if (type == RdbType::kZset || type == RdbType::kZset2) return read_members(in, type, place);
  if (!in.text(&place.text)) return false;
  Bytes sequence;
  size_t count = 0;
  bool good;
  if (type == RdbType::kZsetZiplist) {
    place.packed.clear();
    good = read_ziplist(place.text.bytes(), &place.packed, &count);
    sequence = place.packed.bytes();
  } else {
    good = read_listpack_frame(place.text.bytes(), &sequence, &count);
  }
  if (!good) return in.corrupt("a packed sorted set is damaged");
  if (count == 0) return true;
  return place.handle<ZsetValue>().load_packed(sequence, count, place.limits.zset) ||
         in.corrupt("a packed sorted set does not hold pairs of members and scores");
}

RdbType rdb_zset_type(const Entry& entry) {
  return entry.encoding() == Encoding::kStructure ? RdbType::kZset2 : RdbType::kZsetListpack;
}

void write_packed_rdb_zset(RdbEncoder& out, Store& store, const Entry& entry) {
  const RdbEntryHandle<ZsetValue> zset(store, entry);
  out.listpack(zset->packed_sequence(), 2 * zset->size());
}

std::unique_ptr<RdbPieces> rdb_zset_pieces(const ZsetStructure& zset) {
  class Pieces final : public RdbTablePieces {
   public:
    explicit Pieces(const ZsetStructure& zset) : RdbTablePieces(zset), zset_(zset) {}

   private:
    uint64_t walk_some(RdbEncoder& out, uint64_t position) override {
      return zset_.scan(position, [&](const ZsetMember& member) { meet(out, &member); });
    }
    void write_item(RdbEncoder& out, const void* item) const override {
      const auto* member = static_cast<const ZsetMember*>(item);
      out.text(member->bytes());
      out.double_bytes(member->score());
    }
    Bytes name_of(const void* item) const override { return static_cast<const ZsetMember*>(item)->bytes(); }

    const ZsetStructure& zset_;
  };
  return std::make_unique<Pieces>(zset);
}

}  // namespace larder
