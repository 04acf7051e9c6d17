#include "server/core/collection_reply.h"

#include "base/assert.h"
#include "base/buffer.h"
#include "server/core/packed_reply.h"
#include "storage/table_pieces.h"

namespace larder {

bool CollectionReply::serves(const ReplyWriter& reply, const Structure* structure, size_t count) {
  if (structure == nullptr || !reply.takes_sources()) return false;
  // Elements count as equally large.
  const double part = static_cast<double>(count) / static_cast<double>(structure->size());
  const double bytes = part * static_cast<double>(structure->memory_bytes());
  if (bytes < static_cast<double>(kStructureBytesMin) || structure->guard_count() >= kGuardsMax) return false;
  return part >= kPartMin || bytes >= static_cast<double>(kCopiedBytesMax);
}

CollectionReply::CollectionReply(Store& store, Structure& structure) : store_(store), structure_(structure) {
  structure.add_guard(*this);
}

CollectionReply::~CollectionReply() {
  if (structure_.remove_guard(*this)) store_.dispose(&structure_);
}

size_t CollectionReply::left_over_bytes() const {
  return structure_.is_left_over() && structure_.is_first_reader(*this) ? structure_.memory_bytes() : 0;
}

// ---- Sets and hashes

namespace {

struct ReplyEncoding {
  using Chunk = Buffer;
  using Output = ReplyWriter;
  static constexpr size_t kPieceBytes = CollectionReply::kPieceBytes;
  static size_t size(const ReplyWriter& out) { return out.position(); }
  static void append(ReplyWriter& out, Buffer& chunk) { out.raw(chunk.bytes()); }
};

class TableReply : public CollectionReply, public TablePieces<ReplyEncoding> {
 public:
  TableReply(Store& store, Structure& structure) : CollectionReply(store, structure), TablePieces(structure) {}
  ~TableReply() override { let_go_of_names(store()); }

  bool write_some(ReplyWriter& out) final { return write_piece(out); }
  size_t held_bytes() const final { return early_bytes() + stored_bytes(); }
  size_t stored_bytes() const final { return name_bytes() + left_over_bytes(); }

  void item_changing(uint64_t hash, const void* item) final { write_early(hash, item); }
  void item_coming(uint64_t hash, Bytes name) final { leave_out(hash, name); }
};

class MembersReply final : public TableReply {
 public:
  MembersReply(Store& store, SetStructure& set) : TableReply(store, set), set_(set) {}

 private:
  static const SetMember& member_of(const void* item) { return *static_cast<const SetMember*>(item); }

  uint64_t walk_some(ReplyWriter& out, uint64_t position) override {
    return set_.scan_items(position, [&](const SetMember& member) { meet(out, &member); });
  }
  void write_item(ReplyWriter& out, const void* item) const override { out.bulk(member_of(item).text()); }
  Bytes name_of(const void* item) const override { return member_of(item).text(); }

  const SetStructure& set_;
};

class FieldsReply final : public TableReply {
 public:
  FieldsReply(Store& store, HashStructure& hash, HashParts parts)
      : TableReply(store, hash), hash_(hash), parts_(parts) {}

 private:
  static const HashField& field_of(const void* item) { return *static_cast<const HashField*>(item); }

  uint64_t walk_some(ReplyWriter& out, uint64_t position) override {
    return hash_.scan_items(position, [&](const HashField& field) { meet(out, &field); });
  }
  void write_item(ReplyWriter& out, const void* item) const override {
    const HashFieldView field = field_of(item).view();
    if (parts_ != HashParts::kValues) out.bulk(field.name);
    if (parts_ != HashParts::kNames) out.bulk(field.value);
  }
  Bytes name_of(const void* item) const override { return field_of(item).name(); }

  const HashStructure& hash_;
  const HashParts parts_;
};

// ---- Lists

class ElementsReply final : public CollectionReply {
 public:
  ElementsReply(Store& store, ListStructure& list, size_t index, size_t count)
      : CollectionReply(store, list), list_(list), index_(index), left_(count) {}
  ~ElementsReply() override {
    if (!is_frozen_) return;
    if (Structure* unneeded = list_.thaw(&frozen_); unneeded != nullptr) store().dispose(unneeded);
  }

  bool write_some(ReplyWriter& out) override {
    const size_t end = out.position() + kPieceBytes;
    if (is_frozen_) {
      while (left_ > 0 && out.position() < end) write_frozen_node(out);
    } else if (left_ > 0) {
      ListStructure::Place place = list_.place_of(index_);
      for (; left_ > 0 && out.position() < end; place = list_.next(place)) {
        reply_element(out, list_.element(place));
        index_++;
        left_--;
      }
    }
    return left_ > 0;
  }
  size_t held_bytes() const override { return frozen_.memory_bytes() + left_over_bytes(); }
  size_t stored_bytes() const override { return frozen_.left_over_bytes + left_over_bytes(); }

  void changing() override {
    if (is_frozen_ || left_ == 0) return;
    index_ = list_.freeze(index_, left_, &frozen_);
    is_frozen_ = true;
  }

 private:
  // A node of small elements has 4 KB of them at most.
  void write_frozen_node(ReplyWriter& out) {
    const Bytes sequence = frozen_.nodes[frozen_.next].node->sequence();
    const char* const sequence_end = sequence.data() + sequence.size();
    for (const char* at = sequence.data(); at != sequence_end && left_ > 0;) {
      const PackedElement element = read_packed(at);
      at = element.end();
      if (index_ > 0) {
        index_--;
        continue;
      }
      reply_element(out, element);
      left_--;
    }
    list_.release_frozen(&frozen_);
  }

  ListStructure& list_;
  size_t index_;  // of the next element; in the first frozen node when there is one
  size_t left_;
  FrozenNodes frozen_;
  bool is_frozen_ = false;
};

}  // namespace

std::unique_ptr<ReplySource> members_reply(Store& store, SetStructure& set) {
  return std::make_unique<MembersReply>(store, set);
}

std::unique_ptr<ReplySource> fields_reply(Store& store, HashStructure& hash, HashParts parts) {
  return std::make_unique<FieldsReply>(store, hash, parts);
}

std::unique_ptr<ReplySource> elements_reply(Store& store, ListStructure& list, size_t index, size_t count) {
  return std::make_unique<ElementsReply>(store, list, index, count);
}

}  // namespace larder
