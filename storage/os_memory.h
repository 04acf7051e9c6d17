// Memory straight from the operating system: large aligned pieces for the block allocator.
#pragma once

#include <cstddef>

namespace larder {

// `size` bytes of zeroed memory at a multiple of `size`, a power of two and of the page size. Stops the process if there
// is none. Pages become resident when they are first written.
void* map_aligned(size_t size);
void unmap(void* memory, size_t size);
// The same for a thread that gives way to others. The system holds a lock of the address space while it takes pages away, and who
// has the processor taken away in the middle keeps it: the loop waited 10 to 90 ms for it. So the pages go in short pieces, with a pause
// before each of them, behind which a thread has a new slice of time; what is left to unmap is short.
void unmap_gently(void* memory, size_t size);
// The same, resident, in huge pages. Null when the system has none to give. Takes milliseconds: the system clears the memory, and
// moves other memory out of its way.
void* map_huge_pages(size_t size);
// Keeps the kernel from gathering small pages into huge ones by itself.
void advise_small_pages(void* memory, size_t size);
// Copies whole pages, whatever they hold.
void copy_pages(void* to, const void* from, size_t size);
// Puts the pages of `from` in the place of those of `to`, which hold the same bytes; `from` is gone then. Both are from here.
void replace_pages(void* to, void* from, size_t size);
// Gives the pages back; they read as zero when they are touched again.
void decommit(void* memory, size_t size);

}  // namespace larder
