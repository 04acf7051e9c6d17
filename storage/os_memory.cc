#include "storage/os_memory.h"

#include <sys/mman.h>

#include <cstdint>

#include "base/assert.h"

namespace larder {

void* map_aligned(size_t size) {
  // Twice the size has an aligned piece in it; what is before and after goes back.
  void* memory = mmap(nullptr, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  LARDER_ASSERT(memory != MAP_FAILED);
  const auto begin = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t aligned = (begin + size - 1) & ~(size - 1);
  if (aligned > begin) unmap(memory, aligned - begin);
  unmap(reinterpret_cast<void*>(aligned + size), begin + size - aligned);
  return reinterpret_cast<void*>(aligned);
}

void unmap(void* memory, size_t size) {
  if (size == 0) return;
  const int result = munmap(memory, size);
  LARDER_ASSERT(result == 0);
}

void advise_huge_pages([[maybe_unused]] void* memory, [[maybe_unused]] size_t size) {
#if defined(MADV_HUGEPAGE)
  (void)madvise(memory, size, MADV_HUGEPAGE);  // refused where the kernel has none: then small pages do
#endif
}

void advise_small_pages([[maybe_unused]] void* memory, [[maybe_unused]] size_t size) {
#if defined(MADV_NOHUGEPAGE)
  (void)madvise(memory, size, MADV_NOHUGEPAGE);
#endif
}

void decommit(void* memory, size_t size) {
  const int result = madvise(memory, size, MADV_DONTNEED);
  LARDER_ASSERT(result == 0);
}

}  // namespace larder
