// Lists: nodes of packed elements (in old files ziplists), large elements by themselves, or the elements one by one.

#include "persistence/rdb_codecs.h"
#include "storage/list_value.h"

namespace larder {
namespace {

// An element of this size that has a node of its own is written as it is.
constexpr size_t kPlainBytesMin = ListStructure::kNodeBytes;
// No writer packs more into a node.
constexpr size_t kNodeBytesMax = size_t{1} << 30;

bool push(RdbInput& in, RdbPlace& place, ListValue& list, Bytes text) {
  if (text.size() > ListValue::kElementBytesMax) return in.corrupt("an element of a list is too long");
  list.expect_growth(text.size(), 1, place.limits.list);
  list.push(ListEnd::kBack, text);
  return true;
}

bool append(RdbInput& in, RdbPlace& place, ListValue& list, Bytes sequence, size_t count) {
  if (sequence.size() > kNodeBytesMax) return in.corrupt("a node of a list is too large");
  if (count > 0) list.append_packed(sequence, count, place.limits.list);
  return true;
}

bool read_ziplist_node(RdbInput& in, RdbPlace& place, ListValue& list) {
  size_t count;
  place.packed.clear();
  if (!read_ziplist(place.text.bytes(), &place.packed, &count)) return in.corrupt("a list (ziplist) is damaged");
  return append(in, place, list, place.packed.bytes(), count);
}

bool read_listpack_node(RdbInput& in, RdbPlace& place, ListValue& list) {
  Bytes sequence;
  size_t count;
  if (!read_listpack_frame(place.text.bytes(), &sequence, &count)) return in.corrupt("a list (listpack) is damaged");
  return append(in, place, list, sequence, count);
}

bool read_node(RdbInput& in, RdbType type, RdbPlace& place, ListValue& list) {
  uint64_t container = kRdbQuicklistPacked;
  if (type == RdbType::kListQuicklist2 && !in.length(&container)) return false;
  if (container != kRdbQuicklistPlain && container != kRdbQuicklistPacked) {
    return in.corrupt("a node of a list of no known kind");
  }
  if (!in.text(&place.text)) return false;
  if (type == RdbType::kList || container == kRdbQuicklistPlain) return push(in, place, list, place.text.bytes());
  if (type == RdbType::kListQuicklist2) return read_listpack_node(in, place, list);
  return read_ziplist_node(in, place, list);
}

void write_node(RdbEncoder& out, Bytes sequence, size_t count) {
  if (count == 1 && sequence.size() >= kPlainBytesMin) {
    out.length(kRdbQuicklistPlain);
    return out.text(read_packed(sequence.data()).bytes);
  }
  out.length(kRdbQuicklistPacked);
  out.listpack(sequence, count);
}

}  // namespace

bool read_rdb_list(RdbInput& in, RdbType type, RdbPlace& place) {
  uint64_t count = 1;
  if (type != RdbType::kListZiplist && !in.count(&count)) return false;
  auto list = place.handle<ListValue>();
  for (uint64_t i = 0; i < count; i++) {
    if (!read_node(in, type, place, list)) return false;
  }
  return true;
}

void write_packed_rdb_list(RdbEncoder& out, Store& store, const Entry& entry) {
  out.length(1);
  const RdbEntryHandle<ListValue> list(store, entry);
  list->visit_packed([&](Bytes sequence, size_t count) { write_node(out, sequence, count); });
}

// Before the first change the nodes that are not written yet are frozen; from then on they are read from there.
std::unique_ptr<RdbPieces> rdb_list_pieces(ListStructure& list) {
  class Pieces final : public RdbPieces {
   public:
    explicit Pieces(ListStructure& list) : list_(list), node_count_(list.node_count()), left_(list.size()) {}
    bool write(RdbEncoder& out) override {
      if (!begun_) out.length(node_count_);
      begun_ = true;
      if (is_frozen_) return write_frozen(out);
      list_.visit_some_nodes(&walk_, kPieceBytes, [&](Bytes sequence, size_t count) {
        write_node(out, sequence, count);
        left_ -= count;
      });
      return left_ > 0;
    }

    void changing() override {
      if (is_frozen_ || left_ == 0) return;
      list_.freeze(list_.size() - left_, left_, &frozen_);
      is_frozen_ = true;
    }
    void item_changing(uint64_t, const void*) override {}
    void item_coming(uint64_t, Bytes) override {}
    size_t held_bytes() const override { return frozen_.memory_bytes(); }
    void let_go(Store& store) override {
      left_ = 0;
      if (!is_frozen_) return;
      is_frozen_ = false;
      if (Structure* unneeded = list_.thaw(&frozen_); unneeded != nullptr) store.dispose(unneeded);
    }

   private:
    bool write_frozen(RdbEncoder& out) {
      const size_t bytes_max = out.size() + kPieceBytes;
      while (frozen_.next < frozen_.nodes.size() && out.size() < bytes_max) {
        const FrozenNodes::Node& node = frozen_.nodes[frozen_.next];
        write_node(out, node.node->sequence(), node.count);
        list_.release_frozen(&frozen_);
      }
      return frozen_.next < frozen_.nodes.size();
    }

    ListStructure& list_;
    const size_t node_count_;
    ListStructure::NodeWalk walk_;
    FrozenNodes frozen_;
    bool begun_ = false;
    size_t left_;  // elements that are not written, while nothing is frozen
    bool is_frozen_ = false;
  };
  return std::make_unique<Pieces>(list);
}

}  // namespace larder
