#include "storage/block_allocator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/assert.h"
#include "storage/huge_page.h"
#include "storage/os_memory.h"

#if defined(__SANITIZE_ADDRESS__)
#define LARDER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LARDER_ASAN 1
#endif
#endif
#if defined(LARDER_ASAN)
#include <sanitizer/asan_interface.h>
#endif

namespace larder {
namespace {

// What one call gives back, when it is not a whole chunk.
constexpr int kPagesGivenBack = 4;
// What trim() leaves, and gives back (some 100 us at the most).
constexpr uint64_t kTrimmedPagesMin = 8;
constexpr uint64_t kTrimmedPagesMax = 8;
// plan_moves() sorts pages by how full they are into so many groups.
constexpr uint32_t kFillGroups = 64;
// Larger blocks are freed by the Disposal: their pages may go back to the system at once.
constexpr size_t kDisposedLargeBytesMin = 64 * 1024;
// Of page 0, what shares an operating system's page with the chunk's header.
constexpr size_t kHeaderPageBytes = 4096;

void poison([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes) {
#if defined(LARDER_ASAN)
  ASAN_POISON_MEMORY_REGION(memory, bytes);
#endif
}

void unpoison([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes) {
#if defined(LARDER_ASAN)
  ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
#endif
}

}  // namespace

BlockAllocator::~BlockAllocator() {
  LARDER_ASSERT(block_count_ == 0);
  while (all_chunks_.front != nullptr) {
    Chunk* chunk = all_chunks_.front;
    close_chunk(chunk);
    unmap(chunk, kChunkBytes);
  }
}

void* BlockAllocator::allocate(size_t bytes) {
  LARDER_ASSERT(bytes > 0);
  block_count_++;
  if (bytes > kBlockBytesMax) return allocate_large(bytes);
  const uint32_t size_class = class_of(bytes);
  Class& of = classes_[size_class];
  Page* page = of.roomy;
  if (page == nullptr) [[unlikely]]
    page = open_page(size_class, block_bytes(bytes));

  char* block;
  if (page->free_offset != kNoOffset) {
    block = memory_of(page) + page->free_offset;
    unpoison(block, page->block_bytes);
    std::memcpy(&page->free_offset, block, sizeof(page->free_offset));
  } else {
    block = memory_of(page) + page->fresh_offset;
    unpoison(block, page->block_bytes);
    page->fresh_offset = static_cast<uint16_t>(page->fresh_offset + page->block_bytes);
  }
  page->live++;
  of.live++;
  used_bytes_ += page->block_bytes;
  if (!page->has_room()) unlist_page(page);
  return block;
}

void BlockAllocator::free(void* block, size_t bytes) {
  LARDER_ASSERT(block_count_ > 0);
  block_count_--;
  if (bytes > kBlockBytesMax) return free_large(block, bytes);
  Page* page = page_of(block);
  LARDER_ASSERT(page->size_class == class_of(bytes) && page->live > 0);
  used_bytes_ -= page->block_bytes;
  std::memcpy(block, &page->free_offset, sizeof(page->free_offset));
  page->free_offset = static_cast<uint16_t>(static_cast<char*>(block) - memory_of(page));
  poison(block, page->block_bytes);
  page->live--;
  classes_[page->size_class].live--;
  if (page->live == 0) {
    close_page(page);
  } else if (!page->listed) {
    list_page(page);
  }
}

void* BlockAllocator::allocate_large(size_t bytes) {
  void* block = std::malloc(block_bytes(bytes));
  LARDER_ASSERT(block != nullptr);
  large_bytes_ += block_bytes(bytes);
  return block;
}

void BlockAllocator::free_large(void* block, size_t bytes) {
  large_bytes_ -= block_bytes(bytes);
  if (disposal_ != nullptr && bytes >= kDisposedLargeBytesMin) {
    disposal_->dispose(block, block_bytes(bytes), [](void* memory) { std::free(memory); });
  } else {
    std::free(block);
  }
}

bool BlockAllocator::is_sparse(const void* block, size_t bytes) const {
  if (bytes > kBlockBytesMax) return false;
  const Page* page = page_of(block);
  const Class& of = classes_[page->size_class];
  return page->live < of.sparse_below && page->listed && page != of.roomy;
}

uint64_t BlockAllocator::winnable_bytes() const {
  uint64_t pages = 0;
  for (const Class& of : classes_) {
    if (of.pages > 0) pages += of.pages - std::min<uint64_t>(of.pages, pages_needed(of));
  }
  return pages * kPageBytes;
}

void BlockAllocator::plan_moves(uint32_t size_class) {
  Class& of = classes_[size_class];
  of.sparse_below = 0;
  if (of.roomy_pages == 0 || pages_needed(of) >= of.pages) return;
  const auto per_page = static_cast<uint32_t>(kPageBytes / of.block_bytes);
  // The pages go to lists by fill, and from these back to the front of the class's list, the fullest last.
  struct Group {
    Page* first = nullptr;
    uint32_t pages = 0;
  } groups[kFillGroups + 1];
  uint32_t planned = 0;
  while (of.roomy != nullptr && planned < kPlannedPagesMax) {
    Page* page = of.roomy;
    unlist_page(page);
    Group& group = groups[page->live * kFillGroups / per_page];
    page->next = group.first;
    group.first = page;
    group.pages++;
    planned++;
  }
  for (const Group& group : groups) {
    for (Page* page = group.first; page != nullptr;) {
      Page* next = page->next;
      list_page(page);
      page = next;
    }
  }
  // So many of these are needed, in proportion if not all were looked at.
  const uint64_t full_pages = of.pages - of.roomy_pages;
  const uint64_t kept =
      std::max<uint64_t>(pages_needed(of) - std::min(pages_needed(of), full_pages), 1) * planned / of.roomy_pages;
  uint64_t counted = 0;
  uint32_t at = kFillGroups + 1;
  while (at > 0 && counted < kept) counted += groups[--at].pages;
  // Of the last group some are left over: all of it counts as sparse, and those in front get full before their turn comes.
  if (counted > kept) at++;
  of.sparse_below = static_cast<uint16_t>((at * per_page + kFillGroups - 1) / kFillGroups);
}

char* BlockAllocator::memory_of(const Page* page) {
  Chunk* chunk = chunk_of(page);
  return reinterpret_cast<char*>(chunk) + static_cast<size_t>(page - chunk->pages) * kPageBytes;
}

BlockAllocator::Page* BlockAllocator::open_page(uint32_t size_class, size_t size) {
  Chunk* chunk = with_free_pages_.front != nullptr ? with_free_pages_.front : open_chunk();
  if (chunk->free_pages == kPagesPerChunk) empty_chunks_--;
  // A page with its memory rather than one that has to be faulted in.
  Page* page = nullptr;
  for (Page& candidate : chunk->pages) {
    if (candidate.in_use()) continue;
    if (page == nullptr) page = &candidate;
    if (!candidate.decommitted) {
      page = &candidate;
      break;
    }
  }
  LARDER_ASSERT(page != nullptr);
  if (--chunk->free_pages == 0) {
    with_free_pages_.remove(chunk, kWithFreePages);
    if (!chunk->is_huge) full_of_small_pages_.push_back(chunk, kFullOfSmallPages);
  }
  if (page->decommitted) {
    decommitted_pages_--;
  } else {
    take_idle(chunk);
  }
  pages_in_use_++;
  classes_[size_class].pages++;
  classes_[size_class].block_bytes = static_cast<uint32_t>(size);
  const bool first_of_chunk = page == chunk->pages;
  page->free_offset = kNoOffset;
  page->fresh_offset = first_of_chunk ? kChunkHeaderBytes : 0;
  page->end_offset = kPageBytes;
  page->live = 0;
  page->block_bytes = static_cast<uint16_t>(size);
  page->size_class = static_cast<uint8_t>(size_class);
  page->decommitted = false;
  poison(memory_of(page) + page->fresh_offset, kPageBytes - page->fresh_offset);
  list_page(page);
  return page;
}

void BlockAllocator::close_page(Page* page) {
  if (page->listed) unlist_page(page);
  classes_[page->size_class].pages--;
  page->block_bytes = 0;
  pages_in_use_--;
  Chunk* chunk = chunk_of(page);
  add_idle(chunk);
  if (chunk->free_pages++ == 0) {
    with_free_pages_.push_front(chunk, kWithFreePages);
    if (!chunk->is_huge) full_of_small_pages_.remove(chunk, kFullOfSmallPages);
  }
  if (chunk->free_pages < kPagesPerChunk) return;
  empty_chunks_++;
  with_free_pages_.remove(chunk, kWithFreePages);
  with_free_pages_.push_back(chunk, kWithFreePages);
}

void BlockAllocator::add_idle(Chunk* chunk) {
  idle_pages_++;
  if (chunk->idle_pages++ == 0) with_idle_pages_.push_back(chunk, kWithIdlePages);
}

void BlockAllocator::take_idle(Chunk* chunk) {
  idle_pages_--;
  idle_pages_least_ = std::min(idle_pages_least_, idle_pages_);
  if (--chunk->idle_pages == 0) with_idle_pages_.remove(chunk, kWithIdlePages);
}

bool BlockAllocator::give_back_some() {
  if (may_unmap()) {
    Chunk* chunk = with_free_pages_.back;
    const bool is_huge = chunk->is_huge;
    close_chunk(chunk);
    // A huge page is one piece.
    void (*const unmap_chunk)(void*) = is_huge ? [](void* memory) { unmap(memory, kChunkBytes); }
                                               : [](void* memory) { unmap_gently(memory, kChunkBytes); };
    if (disposal_ == nullptr || !disposal_->assist(chunk, kChunkBytes, unmap_chunk)) unmap(chunk, kChunkBytes);
  } else {
    for (int i = 0; i < kPagesGivenBack && idle_pages_ > idle_pages_max(); i++) decommit_page(with_idle_pages_.front);
  }
  return may_unmap() || idle_pages_ > idle_pages_max();
}

void BlockAllocator::trim() {
  const uint64_t unwanted = idle_pages_least_ - std::min(idle_pages_least_, kTrimmedPagesMin);
  for (uint64_t i = 0; i < std::min(unwanted, kTrimmedPagesMax); i++) decommit_page(with_idle_pages_.front);
  idle_pages_least_ = idle_pages_;
}

void BlockAllocator::decommit_page(Chunk* chunk) {
  if (chunk->is_huge) {  // the system splits it
    chunk->is_huge = false;
    huge_chunks_--;
  }
  Page* page = chunk->pages;
  while (page->in_use() || page->decommitted) page++;
  static_assert(kChunkHeaderBytes <= kHeaderPageBytes);
  const size_t kept = page == chunk->pages ? kHeaderPageBytes : 0;
  decommit(memory_of(page) + kept, kPageBytes - kept);
  page->decommitted = true;
  decommitted_pages_++;
  take_idle(chunk);
}

void BlockAllocator::move_into(void* huge_page) {
  static_assert(HugePage::kBytes == kChunkBytes);
  Chunk* chunk = full_of_small_pages_.front;
  full_of_small_pages_.remove(chunk, kFullOfSmallPages);
  chunk->is_huge = true;
  huge_chunks_++;
  moved_chunks_ += !chunk->was_moved;
  chunk->was_moved = true;
  copy_pages(huge_page, chunk, kChunkBytes);
  replace_pages(chunk, huge_page, kChunkBytes);
}

BlockAllocator::Chunk* BlockAllocator::open_chunk() {
  void* memory = map_aligned(kChunkBytes);
  advise_small_pages(memory, kChunkBytes);  // what is to be huge is made so by move_into()
  auto* chunk = new (memory) Chunk();
  for (Page& page : chunk->pages) page.decommitted = true;
  chunk->free_pages = kPagesPerChunk;
  all_chunks_.push_front(chunk, kAllChunks);
  with_free_pages_.push_back(chunk, kWithFreePages);
  chunk_count_++;
  empty_chunks_++;
  decommitted_pages_ += kPagesPerChunk;
  return chunk;
}

void BlockAllocator::close_chunk(Chunk* chunk) {
  LARDER_ASSERT(chunk->free_pages == kPagesPerChunk);
  idle_pages_ -= chunk->idle_pages;
  idle_pages_least_ = std::min(idle_pages_least_, idle_pages_);
  decommitted_pages_ -= kPagesPerChunk - chunk->idle_pages;
  if (chunk->idle_pages > 0) with_idle_pages_.remove(chunk, kWithIdlePages);
  with_free_pages_.remove(chunk, kWithFreePages);
  all_chunks_.remove(chunk, kAllChunks);
  huge_chunks_ -= chunk->is_huge;
  moved_chunks_ -= chunk->was_moved;
  chunk_count_--;
  empty_chunks_--;
  unpoison(chunk, kChunkBytes);
}

void BlockAllocator::list_page(Page* page) {
  Class& of = classes_[page->size_class];
  page->listed = true;
  page->previous = nullptr;
  page->next = of.roomy;
  if (of.roomy != nullptr) of.roomy->previous = page;
  of.roomy = page;
  of.roomy_pages++;
}

void BlockAllocator::unlist_page(Page* page) {
  Class& of = classes_[page->size_class];
  page->listed = false;
  if (page->next != nullptr) page->next->previous = page->previous;
  (page->previous != nullptr ? page->previous->next : of.roomy) = page->next;
  of.roomy_pages--;
}

void BlockAllocator::ChunkList::push_front(Chunk* chunk, ListKind kind) {
  chunk->links[kind] = {front, nullptr};
  (front != nullptr ? front->links[kind].previous : back) = chunk;
  front = chunk;
}

void BlockAllocator::ChunkList::push_back(Chunk* chunk, ListKind kind) {
  chunk->links[kind] = {nullptr, back};
  (back != nullptr ? back->links[kind].next : front) = chunk;
  back = chunk;
}

void BlockAllocator::ChunkList::remove(Chunk* chunk, ListKind kind) {
  const Links& links = chunk->links[kind];
  (links.next != nullptr ? links.next->links[kind].previous : back) = links.previous;
  (links.previous != nullptr ? links.previous->links[kind].next : front) = links.next;
}

void BlockAllocator::check_integrity() const {
  uint64_t chunks = 0, in_use = 0, idle = 0, decommitted = 0, used = 0, listed = 0;
  uint64_t empty = 0, with_free_pages = 0, with_idle_pages = 0, huge = 0, moved = 0, full_of_small_pages = 0;
  for (const Chunk* chunk = all_chunks_.front; chunk != nullptr; chunk = chunk->links[kAllChunks].next) {
    chunks++;
    uint32_t free_pages = 0;
    const uint64_t idle_before = idle;
    for (const Page& page : chunk->pages) {
      if (!page.in_use()) {
        free_pages++;
        (page.decommitted ? decommitted : idle)++;
        continue;
      }
      in_use++;
      used += uint64_t{page.live} * page.block_bytes;
      listed += page.listed;
      LARDER_ASSERT(page.live > 0 && !page.decommitted && page.listed == page.has_room());
    }
    LARDER_ASSERT(free_pages == chunk->free_pages && idle - idle_before == chunk->idle_pages);
    empty += free_pages == kPagesPerChunk;
    with_free_pages += free_pages > 0;
    with_idle_pages += chunk->idle_pages > 0;
    huge += chunk->is_huge;
    moved += chunk->was_moved;
    LARDER_ASSERT(chunk->was_moved || !chunk->is_huge);
    full_of_small_pages += free_pages == 0 && !chunk->is_huge;
  }
  LARDER_ASSERT(huge == huge_chunks_ && moved == moved_chunks_);
  for (const Chunk* chunk = full_of_small_pages_.front; chunk != nullptr;
       chunk = chunk->links[kFullOfSmallPages].next) {
    LARDER_ASSERT(chunk->free_pages == 0 && !chunk->is_huge);
    full_of_small_pages--;
  }
  LARDER_ASSERT(full_of_small_pages == 0);
  LARDER_ASSERT(empty == empty_chunks_);
  bool empty_met = false;
  for (const Chunk* chunk = with_free_pages_.front; chunk != nullptr; chunk = chunk->links[kWithFreePages].next) {
    with_free_pages--;
    const bool is_empty = chunk->free_pages == kPagesPerChunk;
    LARDER_ASSERT(chunk->free_pages > 0 && (is_empty || !empty_met));
    empty_met = is_empty;
  }
  for (const Chunk* chunk = with_idle_pages_.front; chunk != nullptr; chunk = chunk->links[kWithIdlePages].next) {
    with_idle_pages--;
    LARDER_ASSERT(chunk->idle_pages > 0);
  }
  LARDER_ASSERT(with_free_pages == 0 && with_idle_pages == 0);
  LARDER_ASSERT(chunks == chunk_count_ && in_use == pages_in_use_ && idle == idle_pages_);
  LARDER_ASSERT(decommitted == decommitted_pages_ && used == used_bytes_);
  LARDER_ASSERT(idle_pages_least_ <= idle_pages_);
  uint64_t in_lists = 0, in_classes = 0, live = 0;
  for (uint32_t size_class = 0; size_class < kClassCount; size_class++) {
    const Page* previous = nullptr;
    in_classes += classes_[size_class].pages;
    live += classes_[size_class].live * classes_[size_class].block_bytes;
    uint64_t in_list = 0;
    for (const Page* page = classes_[size_class].roomy; page != nullptr; page = page->next) {
      LARDER_ASSERT(page->previous == previous && page->listed && page->size_class == size_class);
      previous = page;
      in_list++;
    }
    LARDER_ASSERT(in_list == classes_[size_class].roomy_pages);
    in_lists += in_list;
  }
  LARDER_ASSERT(in_lists == listed && in_classes == pages_in_use_ && live == used_bytes_);
}

}  // namespace larder
