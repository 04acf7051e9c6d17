// Memory straight from the operating system: large aligned pieces for the block allocator.
#pragma once

#include <cstddef>

namespace larder {

// `size` bytes of zeroed memory at a multiple of `size`, a power of two and of the page size. Stops the process if there
// is none. Pages become resident when they are first written.
void* map_aligned(size_t size);
void unmap(void* memory, size_t size);
// Ask for huge pages, and for small ones again. Wishes: nothing depends on them.
void advise_huge_pages(void* memory, size_t size);
void advise_small_pages(void* memory, size_t size);
// Gives the pages back; they read as zero when they are touched again.
void decommit(void* memory, size_t size);

}  // namespace larder
