#include "storage/block_allocator.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/assert.h"
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

// Chunks of a small server are not worth huge pages.
constexpr uint64_t kSmallPageChunks = 4;
// Empty pages that keep their memory, beside a sixteenth of the pages in use.
constexpr uint64_t kIdlePagesMin = 32;
constexpr uint64_t kIdlePagesDivisor = 16;
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
  while (all_chunks_ != nullptr) close_chunk(all_chunks_);
}

void* BlockAllocator::allocate(size_t bytes) {
  LARDER_ASSERT(bytes > 0);
  block_count_++;
  if (bytes > kBlockBytesMax) return allocate_large(bytes);
  const uint32_t size_class = class_of(bytes);
  Page* page = roomy_[size_class];
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
  std::free(block);
}

bool BlockAllocator::is_sparse(const void* block, size_t bytes, uint32_t percent) const {
  if (bytes > kBlockBytesMax) return false;
  const Page* page = page_of(block);
  return page->listed && page != roomy_[page->size_class] &&
         uint64_t{page->live} * page->block_bytes * 100 < uint64_t{kPageBytes} * percent;
}

char* BlockAllocator::memory_of(const Page* page) {
  Chunk* chunk = chunk_of(page);
  return reinterpret_cast<char*>(chunk) + static_cast<size_t>(page - chunk->pages) * kPageBytes;
}

BlockAllocator::Page* BlockAllocator::open_page(uint32_t size_class, size_t size) {
  Chunk* chunk = chunks_with_pages_ != nullptr ? chunks_with_pages_ : open_chunk();
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
    unlist_chunk(chunk);
    // Only now, when its memory is resident: the kernel then gathers it into a huge page in its own time. Asked earlier,
    // it clears two megabytes at the first touch, which is a pause of up to 2.5 ms on a busy machine.
    if (chunk_count_ > kSmallPageChunks && !chunk->wants_huge_pages) {
      chunk->wants_huge_pages = true;
      advise_huge_pages(chunk, kChunkBytes);
    }
  }
  if (page->decommitted) {
    decommitted_pages_--;
  } else {
    idle_pages_--;
  }
  pages_in_use_++;
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
  page->block_bytes = 0;
  pages_in_use_--;
  Chunk* chunk = chunk_of(page);
  if (idle_pages_ < kIdlePagesMin + pages_in_use_ / kIdlePagesDivisor) {
    idle_pages_++;
  } else {
    if (chunk->wants_huge_pages) {  // else the kernel would fill the hole again to make a huge page
      chunk->wants_huge_pages = false;
      advise_small_pages(chunk, kChunkBytes);
    }
    const size_t kept = page == chunk->pages ? kHeaderPageBytes : 0;
    decommit(memory_of(page) + kept, kPageBytes - kept);
    page->decommitted = true;
    decommitted_pages_++;
  }
  if (chunk->free_pages++ == 0) list_chunk(chunk);
  if (chunk->free_pages < kPagesPerChunk) return;
  empty_chunks_++;
  if (empty_chunks_ > 1) close_chunk(chunk);
}

BlockAllocator::Chunk* BlockAllocator::open_chunk() {
  void* memory = map_aligned(kChunkBytes);
  auto* chunk = new (memory) Chunk();
  for (Page& page : chunk->pages) page.decommitted = true;
  chunk->free_pages = kPagesPerChunk;
  chunk->next_of_all = all_chunks_;
  if (all_chunks_ != nullptr) all_chunks_->previous_of_all = chunk;
  all_chunks_ = chunk;
  list_chunk(chunk);
  chunk_count_++;
  empty_chunks_++;
  decommitted_pages_ += kPagesPerChunk;
  return chunk;
}

void BlockAllocator::close_chunk(Chunk* chunk) {
  LARDER_ASSERT(chunk->free_pages == kPagesPerChunk);
  for (const Page& page : chunk->pages) (page.decommitted ? decommitted_pages_ : idle_pages_)--;
  unlist_chunk(chunk);
  if (chunk->next_of_all != nullptr) chunk->next_of_all->previous_of_all = chunk->previous_of_all;
  (chunk->previous_of_all != nullptr ? chunk->previous_of_all->next_of_all : all_chunks_) = chunk->next_of_all;
  chunk_count_--;
  empty_chunks_--;
  unpoison(chunk, kChunkBytes);
  unmap(chunk, kChunkBytes);
}

void BlockAllocator::list_page(Page* page) {
  Page*& head = roomy_[page->size_class];
  page->listed = true;
  page->previous = nullptr;
  page->next = head;
  if (head != nullptr) head->previous = page;
  head = page;
}

void BlockAllocator::unlist_page(Page* page) {
  page->listed = false;
  if (page->next != nullptr) page->next->previous = page->previous;
  (page->previous != nullptr ? page->previous->next : roomy_[page->size_class]) = page->next;
}

void BlockAllocator::list_chunk(Chunk* chunk) {
  chunk->previous = nullptr;
  chunk->next = chunks_with_pages_;
  if (chunks_with_pages_ != nullptr) chunks_with_pages_->previous = chunk;
  chunks_with_pages_ = chunk;
}

void BlockAllocator::unlist_chunk(Chunk* chunk) {
  if (chunk->next != nullptr) chunk->next->previous = chunk->previous;
  (chunk->previous != nullptr ? chunk->previous->next : chunks_with_pages_) = chunk->next;
}

void BlockAllocator::check_integrity() const {
  uint64_t chunks = 0, in_use = 0, idle = 0, decommitted = 0, used = 0, listed = 0;
  for (const Chunk* chunk = all_chunks_; chunk != nullptr; chunk = chunk->next_of_all) {
    chunks++;
    uint32_t free_pages = 0;
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
    LARDER_ASSERT(free_pages == chunk->free_pages);
  }
  LARDER_ASSERT(chunks == chunk_count_ && in_use == pages_in_use_ && idle == idle_pages_);
  LARDER_ASSERT(decommitted == decommitted_pages_ && used == used_bytes_);
  uint64_t in_lists = 0;
  for (uint32_t size_class = 0; size_class < kClassCount; size_class++) {
    const Page* previous = nullptr;
    for (const Page* page = roomy_[size_class]; page != nullptr; page = page->next) {
      LARDER_ASSERT(page->previous == previous && page->listed && page->size_class == size_class);
      previous = page;
      in_lists++;
    }
  }
  LARDER_ASSERT(in_lists == listed);
}

}  // namespace larder
