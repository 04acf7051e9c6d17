#include "server/core/collection_reply.h"

#include "base/assert.h"

namespace larder {
namespace {

class MembersReply final : public CollectionReply {
 public:
  MembersReply(Store& store, SetStructure& set) : CollectionReply(store, set), set_(set) {}

 private:
  static const SetMember& member_of(const void* item) { return *static_cast<const SetMember*>(item); }

  uint64_t walk_some(ReplyWriter& out, uint64_t position) override {
    return set_.scan_items(position, [&](const SetMember& member) { meet(out, &member); });
  }
  void write_item(ReplyWriter& out, const void* item) const override { out.bulk(member_of(item).text()); }
  Bytes name_of(const void* item) const override { return member_of(item).text(); }

  const SetStructure& set_;
};

class FieldsReply final : public CollectionReply {
 public:
  FieldsReply(Store& store, HashStructure& hash, HashParts parts)
      : CollectionReply(store, hash), hash_(hash), parts_(parts) {}

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

}  // namespace

CollectionReply::CollectionReply(Store& store, Structure& structure)
    : store_(store), structure_(&structure), walk_(structure) {
  LARDER_ASSERT(structure.guard() == nullptr);
  structure.set_guard(this);
}

CollectionReply::~CollectionReply() { let_go(); }

void CollectionReply::let_go() {
  if (structure_ != nullptr) {
    structure_->set_guard(nullptr);
    if (is_left_over_) store_.dispose(structure_);
    structure_ = nullptr;
  }
  walk_.let_go(store_);
}

bool CollectionReply::write_some(ReplyWriter& out) {
  const size_t end = out.position() + kPieceBytes;
  while (!early_.empty() && out.position() < end) {
    early_bytes_ -= early_.front().size();
    out.raw(early_.front().bytes());
    early_.pop_front();
  }
  while (!walk_.is_over() && out.position() < end) walk_.advance(walk_some(out, walk_.position()));
  if (!walk_.is_over() || !early_.empty()) return true;
  walk_.check_complete();
  return false;
}

size_t CollectionReply::stored_bytes() const {
  return walk_.held_bytes() + (is_left_over_ && structure_ != nullptr ? structure_->memory_bytes() : 0);
}

void CollectionReply::stand_aside() {
  while (!walk_.is_over()) {
    Buffer& chunk = early_chunk();
    const size_t before = chunk.size();
    ReplyWriter out(chunk);
    walk_.advance(walk_some(out, walk_.position()));
    early_bytes_ += chunk.size() - before;
  }
  let_go();
}

void CollectionReply::item_changing(uint64_t hash, const void* item) {
  if (!walk_.reads_early(hash, name_of(item))) return;
  Buffer& chunk = early_chunk();
  const size_t before = chunk.size();
  ReplyWriter out(chunk);
  write_item(out, item);
  early_bytes_ += chunk.size() - before;
}

Buffer& CollectionReply::early_chunk() {
  if (early_.empty() || early_.back().size() >= kPieceBytes) early_.emplace_back();
  return early_.back();
}

void CollectionReply::meet(ReplyWriter& out, const void* item) {
  if (walk_.reads([&] { return name_of(item); })) write_item(out, item);
}

std::unique_ptr<ReplySource> members_reply(Store& store, SetStructure& set) {
  return std::make_unique<MembersReply>(store, set);
}

std::unique_ptr<ReplySource> fields_reply(Store& store, HashStructure& hash, HashParts parts) {
  return std::make_unique<FieldsReply>(store, hash, parts);
}

}  // namespace larder
