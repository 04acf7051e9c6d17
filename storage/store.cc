#include <utility>

#include "storage/keyspace.h"

namespace larder {
namespace {

// Elements that are freed at once, without a turn of the background: some microseconds.
constexpr size_t kFreedAtOnceMax = 64;

}  // namespace

Store::Store(const StoreOptions& options)
    : hash_seed_(options.hash_seed),
      observer_(options.observer),
      access_(options.random_seed),
      blocks_(options.disposal),
      huge_page_(options.disposal),
      index_blocks_(options.disposal),
      blobs_(options.disposal != nullptr ? *options.disposal : immediate_disposal_),
      evictor_(*this, options.random_seed + 1) {
  LARDER_ASSERT(options.database_count > 0);
  for (int i = 0; i < options.database_count; i++) databases_.push_back(std::make_unique<Keyspace>(*this, i));
}

Store::~Store() {
  databases_.clear();
  while (free_some(SIZE_MAX)) {
  }
}

void Store::swap_databases(int a, int b) {
  if (a == b) return;
  if (guard_ != nullptr) guard_->swapping(database(a), database(b));
  database(a).swap_contents(database(b));
}

void Store::release_value(const Entry& entry) {
  switch (entry.encoding()) {
    case Encoding::kInteger:
    case Encoding::kEmbedded:
    case Encoding::kEmbeddedEdited:
    case Encoding::kPacked:
    case Encoding::kPackedIntegers:
      return;
    case Encoding::kBlob:
      return blobs_.release(entry.blob());
    case Encoding::kStructure:
      return dispose(entry.structure());
  }
}

void Store::dispose(Structure* structure) {
  if (structure->is_guarded()) [[unlikely]]
    return structure->leave_over();
  if (structure->size() <= kFreedAtOnceMax) return destroy_structure(structure);
  garbage_.push_back(structure);
}

bool Store::free_some(size_t elements_max) {
  if (garbage_.empty()) return false;
  if (!garbage_.front()->free_some(elements_max)) {
    destroy_structure(garbage_.front());
    garbage_.pop_front();
  }
  return !garbage_.empty();
}

bool Store::give_back_some() { return blocks_.give_back_some() || index_blocks_.give_back_some(); }

void Store::use_huge_page() {
  BlockAllocator& blocks = blocks_.has_full_of_small_pages() ? blocks_ : index_blocks_;
  if (!blocks.has_full_of_small_pages()) return;
  if (void* page = huge_page_.take()) blocks.move_into(page);
}

FlushedKeyspace::FlushedKeyspace(Store& store, EntryTable table, ExpiryIndex expiry,
                                 std::unique_ptr<ExpiryIndex> old_expiry)
    : store_(&store), table_(std::move(table)), expiry_(std::move(expiry)), old_expiry_(std::move(old_expiry)) {}

FlushedKeyspace::~FlushedKeyspace() {
  while (free_some(SIZE_MAX)) {
  }
}

bool FlushedKeyspace::free_some(size_t entries_max) {
  size_t freed = 0;
  while (freed < entries_max && !table_.empty()) {
    position_ = table_.drain(position_, [&](Entry* entry) {
      if (entry->encoding() == Encoding::kBlob) {
        store_->blobs_.release_of_many(entry->blob());
      } else {
        store_->release_value(*entry);
      }
      store_->free_block(entry);
      freed++;
    });
    if (position_ == 0) LARDER_ASSERT(table_.empty());
  }
  if (!table_.empty()) return true;
  // A chunk has 30 items and costs about as much as one entry.
  const size_t chunks_max = entries_max - std::min(freed, entries_max);
  if (old_expiry_ && old_expiry_->free_some(chunks_max)) return true;
  return expiry_.free_some(chunks_max);
}

}  // namespace larder
