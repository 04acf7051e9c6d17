// Memory for small blocks of many sizes, packed tight.
//
// General allocators have size classes 16 bytes apart (and further beyond 128), which costs an entry of 57 bytes 7 of
// 64. Here they are 4 bytes apart up to 136 and 8 up to 512. Up to 5,120, which is more than a node of a stream has, there are
// four to a doubling, as malloc has them; these are not tighter, but freed in bounded time (docs/design/entry.md). Larger blocks
// come from malloc.
//
//   chunk: 2 MB, aligned, from the operating system
//   ┌─────────────────────────────┬─────────────────┬─────────────────┬─────────────────┐
//   │ header, 64 page records     │ page 0, shorter │ page 1          │ ... page 63     │
//   └─────────────────────────────┴─────────────────┴─────────────────┴─────────────────┘
//   page: 32 KB of blocks of one class. Its record counts the blocks in use and heads the list of freed ones (a freed
//   block holds the offset of the next one in its first two bytes); blocks never used yet lie behind `fresh_offset`.
//
// The records are apart from the pages so that they do not all fall into the same sets of the processor's caches, and
// so that a page is used to its last byte. A block's record is found from its address. A page that becomes empty goes
// back to its chunk and may serve another class.
//
// A chunk that is full may be moved into a huge page, at the same addresses: a pipelined look-up waits more for the translation of
// addresses than for memory (docs/design/entry.md). Never before it is full: what is not used would be resident.
//
// Free memory goes back to the system by give_back_some() alone, a bounded piece a call, and never by free(): the blocks of a
// large collection lie in its pages in one order and are freed in another, so that thousands of pages become empty together,
// at 5 to 20 us each to give back. Unmapping a chunk takes 300 to 600 us, so that is left to the Disposal's thread. What goes back: empty pages beyond a sixteenth of those in use, and chunks without pages
// in use (one is kept). The rest of the empty pages follows, piece by piece, while nobody wants them (trim).
//
// Compaction moves the blocks of sparse pages by allocating them anew. How many pages a class could do with is known from
// the counts (winnable_bytes). plan_moves() puts the fullest pages of a class first, where allocation takes them, and draws
// the line: pages that hold less than the last one needed are those to be emptied (is_sparse).
//
// Belongs to one thread. Under AddressSanitizer free blocks are poisoned. Rejected: freed blocks in lists per class
// (pages never become empty), bitmaps (a look-up of 8 KB of bits for the small classes), jemalloc's tcache alone
// (classes too far apart).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "storage/disposal.h"

namespace larder {

inline constexpr size_t kFineClassBytesMax = 136;   // up to here classes are 4 bytes apart
inline constexpr size_t kEvenClassBytesMax = 512;   // up to here 8, and further on four to a doubling
inline constexpr size_t kBlockBytesMax = 5 * 1024;  // beyond it malloc serves

// The size of the block that a request for `bytes` gets. Blocks of equal size are interchangeable.
constexpr size_t block_bytes(size_t bytes) {
  if (bytes <= kFineClassBytesMax) return (bytes + 3) & ~size_t{3};
  if (bytes <= kEvenClassBytesMax) return (bytes + 7) & ~size_t{7};
  const size_t step = std::bit_ceil(bytes) / 8;
  return (bytes + step - 1) & ~(step - 1);
}

class BlockAllocator {
 public:
  static constexpr size_t kChunkBytes = 2 * 1024 * 1024;
  static constexpr size_t kPageBytes = 32 * 1024;

  // `disposal`, which outlives the allocator, frees what is large and unmaps what is given back; null: both at once.
  explicit BlockAllocator(Disposal* disposal = nullptr) : disposal_(disposal) {}
  ~BlockAllocator();  // Requires: every block was freed.
  BlockAllocator(const BlockAllocator&) = delete;
  BlockAllocator& operator=(const BlockAllocator&) = delete;

  // A block of block_bytes(bytes), aligned to 4 bytes (8 if its size is a multiple of 8). Never null: the process stops
  // when the system has no memory left. Requires: bytes > 0.
  void* allocate(size_t bytes);
  // Requires: `block` is from this allocator and block_bytes(bytes) is its size.
  void free(void* block, size_t bytes);

  // Gives some of the memory that is free beyond reserve back to the system: an empty chunk, by way of the Disposal, or, where
  // that has too much before it, a few pages, some 20 to 100 us. True when there is more to do at once.
  bool give_back_some();
  bool has_surplus() const { return empty_chunks_ > 1 || idle_pages_ > idle_pages_max(); }

  // Gives some empty pages back that were not needed since the last call, reserve or not. To be called ten times a second.
  void trim();

  // Whether a chunk is full and lies in small pages, and there are enough of them for it to matter.
  bool has_full_of_small_pages() const {
    return full_of_small_pages_.front != nullptr && chunk_count_ > kSmallPageChunks && moved_chunks_ < kMovedChunksMax;
  }
  // Moves such a chunk into a huge page (HugePage::take()), without a change of any address: 0.3 to 0.9 ms.
  void move_into(void* huge_page);
  uint64_t chunk_count() const { return chunk_count_; }
  uint64_t huge_bytes() const { return huge_chunks_ * kChunkBytes; }

  // Classes are numbered from 0. Plans a pass of moves for one of them, as told above; looks at kPlannedPagesMax pages at
  // most.
  static constexpr uint32_t class_count() { return kClassCount; }
  void plan_moves(uint32_t size_class);
  // Whether moving the block helps, by the plan of its class.
  bool is_sparse(const void* block, size_t bytes) const;
  // Pages that all moves together could empty, in bytes.
  uint64_t winnable_bytes() const;

  uint64_t used_bytes() const { return used_bytes_ + large_bytes_; }  // sizes of the blocks in use
  // The same with what is lost in pages and chunks. What of it is resident the system knows; never-used pages are not.
  uint64_t held_bytes() const { return chunk_count_ * kChunkBytes - decommitted_pages_ * kPageBytes + large_bytes_; }
  // What of it is lost in pages that are in use or kept for use; not what waits to be given back.
  uint64_t slack_bytes() const {
    const uint64_t surplus_pages = idle_pages_ - (idle_pages_ < idle_pages_max() ? idle_pages_ : idle_pages_max());
    return held_bytes() - used_bytes() - surplus_pages * kPageBytes;
  }
  uint64_t block_count() const { return block_count_; }
  // Whether the blocks of pages take more than this on average, malloc's counted as nothing.
  bool are_longer_than(size_t bytes) const { return used_bytes_ > bytes * block_count_; }
  // Checks counts and lists; stops the process when one is wrong.
  void check_integrity() const;

 private:
  static constexpr uint32_t kPagesPerChunk = kChunkBytes / kPageBytes;
  static constexpr uint32_t kFirstCoarseClass = 17 + kEvenClassBytesMax / 8 + 1;
  static constexpr uint32_t kClassCount = kFirstCoarseClass + 13;
  static constexpr uint16_t kNoOffset = UINT16_MAX;
  static constexpr uint32_t kPlannedPagesMax = 2048;
  // Empty pages that keep their memory: these, and a sixteenth of the pages in use.
  static constexpr uint64_t kIdlePagesMin = 32;
  static constexpr uint64_t kIdlePagesDivisor = 16;
  // Chunks of a small server are not worth huge pages.
  static constexpr uint64_t kSmallPageChunks = 16;
  // Of mappings a process may have 65,530, and while others around it have not moved a chunk makes two more.
  static constexpr uint64_t kMovedChunksMax = 24 * 1024;

  struct Page {
    bool in_use() const { return block_bytes != 0; }
    bool has_room() const { return free_offset != kNoOffset || fresh_offset + block_bytes <= end_offset; }
    uint16_t free_offset;   // of the first freed block
    uint16_t fresh_offset;  // where the blocks start that were never used
    uint16_t end_offset;    // of the page's memory
    uint16_t live;          // blocks in use
    uint16_t block_bytes;   // 0: the page is not in use
    uint8_t size_class;
    bool decommitted;
    bool listed;  // in the list of its class: it has room
    Page* next;
    Page* previous;
  };
  struct Class {
    Page* roomy;           // head of the list of pages with room
    uint64_t live;         // blocks in use
    uint32_t pages;        // in use
    uint32_t roomy_pages;  // of these, in the list
    uint32_t block_bytes;
    uint16_t sparse_below;  // blocks in use of a page that is to be emptied: less than that
  };
  struct Chunk;
  // The lists that a chunk may be in.
  enum ListKind : uint8_t { kAllChunks, kWithFreePages, kWithIdlePages, kFullOfSmallPages, kListKinds };
  struct ChunkList {
    void push_front(Chunk* chunk, ListKind kind);
    void push_back(Chunk* chunk, ListKind kind);
    void remove(Chunk* chunk, ListKind kind);
    Chunk* front = nullptr;
    Chunk* back = nullptr;
  };
  struct Links {
    Chunk* next;
    Chunk* previous;
  };
  struct Chunk {
    Page pages[kPagesPerChunk];
    uint32_t free_pages;  // idle ones and those without memory
    uint32_t idle_pages;
    bool is_huge;    // one huge page
    bool was_moved;  // into one, which makes it a mapping of its own, for good
    Links links[kListKinds];
  };
  static constexpr size_t kChunkHeaderBytes = (sizeof(Chunk) + 63) & ~size_t{63};
  static_assert(kChunkHeaderBytes < kPageBytes);

  static constexpr uint32_t class_of(size_t bytes) {
    if (bytes <= kFineClassBytesMax) return static_cast<uint32_t>((bytes + 3) / 4);
    if (bytes <= kEvenClassBytesMax) return static_cast<uint32_t>(17 + (bytes + 7) / 8);
    const auto doubling = static_cast<uint32_t>(std::bit_width(bytes - 1));  // 10: up to 1,024
    return kFirstCoarseClass + (doubling - 10) * 4 + static_cast<uint32_t>((bytes - 1) >> (doubling - 3)) - 4;
  }
  static Chunk* chunk_of(const void* block) {
    return reinterpret_cast<Chunk*>(reinterpret_cast<uintptr_t>(block) & ~(kChunkBytes - 1));
  }
  static Page* page_of(const void* block) {
    return &chunk_of(block)->pages[(reinterpret_cast<uintptr_t>(block) & (kChunkBytes - 1)) / kPageBytes];
  }
  // Where offsets of the page count from.
  static char* memory_of(const Page* page);

  void* allocate_large(size_t bytes);
  void free_large(void* block, size_t bytes);
  Page* open_page(uint32_t size_class, size_t size);
  void close_page(Page* page);
  Chunk* open_chunk();
  // Takes it out of all lists; its memory is the caller's to unmap.
  void close_chunk(Chunk* chunk);
  // The pages that the blocks of a class need at least.
  static uint64_t pages_needed(const Class& of) {
    const uint64_t per_page = kPageBytes / of.block_bytes;
    return (of.live + per_page - 1) / per_page;
  }
  void list_page(Page* page);
  void unlist_page(Page* page);
  void add_idle(Chunk* chunk);
  void take_idle(Chunk* chunk);
  // Never here while there is a Disposal: whoever unmaps waits for all that take pages away or map some.
  bool may_unmap() const { return empty_chunks_ > 1 && (disposal_ == nullptr || disposal_->has_room(kChunkBytes)); }
  uint64_t idle_pages_max() const { return kIdlePagesMin + pages_in_use_ / kIdlePagesDivisor; }
  void decommit_page(Chunk* chunk);

  Disposal* disposal_;
  Class classes_[kClassCount] = {};
  ChunkList all_chunks_;
  ChunkList with_free_pages_;  // the empty ones behind all others
  ChunkList with_idle_pages_;
  ChunkList full_of_small_pages_;
  uint64_t chunk_count_ = 0;
  uint64_t huge_chunks_ = 0;
  uint64_t moved_chunks_ = 0;
  uint64_t empty_chunks_ = 0;
  uint64_t pages_in_use_ = 0;
  uint64_t decommitted_pages_ = 0;
  uint64_t idle_pages_ = 0;        // free, used before, and still with their memory
  uint64_t idle_pages_least_ = 0;  // since the last trim()
  uint64_t used_bytes_ = 0;
  uint64_t large_bytes_ = 0;
  uint64_t block_count_ = 0;
};

}  // namespace larder
