#include "persistence/held_entries.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace larder {

HeldEntry::HeldEntry(Store& store, const RdbWriter& writer, int db, const Entry& entry, size_t* total_bytes)
    : store_(store),
      writer_(writer),
      db_(db),
      head_(writer.head_of(entry)),
      structure_(entry.structure()),
      pieces_(writer.pieces(entry)),
      total_bytes_(total_bytes) {
  structure_->add_guard(*this);
}

HeldEntry::~HeldEntry() {
  pieces_->let_go(store_);
  *total_bytes_ -= bytes_;
  if (structure_->remove_guard(*this)) store_.dispose(structure_);
}

bool HeldEntry::write(RdbEncoder& out) {
  if (!begun_) writer_.head(out, head_);
  begun_ = true;
  const bool more = pieces_->write(out);
  count_bytes();
  return more;
}

void HeldEntry::changing() {
  pieces_->changing();
  count_bytes();
}

void HeldEntry::item_changing(uint64_t hash, const void* item) {
  pieces_->item_changing(hash, item);
  count_bytes();
}

void HeldEntry::item_coming(uint64_t hash, Bytes name) {
  pieces_->item_coming(hash, name);
  count_bytes();
}

void HeldEntry::count_bytes() {
  const size_t bytes = pieces_->held_bytes();
  *total_bytes_ += bytes - bytes_;
  bytes_ = bytes;
}

void HeldEntries::bring_to_front(const Structure* structure) {
  LARDER_ASSERT(!held_.front()->begun());
  const auto at =
      std::find_if(held_.begin(), held_.end(), [&](const auto& held) { return held->structure() == structure; });
  LARDER_ASSERT(at != held_.end());
  std::swap(*at, held_.front());
}

}  // namespace larder
