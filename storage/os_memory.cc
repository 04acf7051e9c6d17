#include "storage/os_memory.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/assert.h"
#include "base/os_daemon.h"

namespace larder {
namespace {

// Some 60 us.
constexpr size_t kGentlePieceBytes = 256 * 1024;
constexpr int64_t kGentlePauseUs = 100;

#if defined(RUSAGE_THREAD)
constexpr size_t kSmallPageBytes = 4096;

int64_t faults_of_this_thread() {
  rusage usage{};
  return getrusage(RUSAGE_THREAD, &usage) == 0 ? usage.ru_minflt : INT64_MAX / 2;
}
#endif

}  // namespace

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

void unmap_gently(void* memory, size_t size) {
  for (size_t at = 0; at < size; at += kGentlePieceBytes) {
    os_sleep_us(kGentlePauseUs);
    decommit(static_cast<char*>(memory) + at, std::min(kGentlePieceBytes, size - at));
  }
  unmap(memory, size);
}

void* map_huge_pages([[maybe_unused]] size_t size) {
#if defined(MADV_HUGEPAGE) && defined(RUSAGE_THREAD)
  void* memory = map_aligned(size);
  if (madvise(memory, size, MADV_HUGEPAGE) == 0) {
    // Whether they are huge the faults tell: one, or one for each small page.
    const int64_t faults_before = faults_of_this_thread();
    for (size_t at = 0; at < size; at += kSmallPageBytes) static_cast<volatile char*>(memory)[at] = 0;
    const bool are_huge = faults_of_this_thread() - faults_before < static_cast<int64_t>(size / kSmallPageBytes / 2);
    // The mapping looks like all others then, and the kernel leaves it alone.
    advise_small_pages(memory, size);
    if (are_huge) return memory;
  }
  unmap(memory, size);
#endif
  return nullptr;
}

void replace_pages(void* to, void* from, size_t size) {
#if defined(MREMAP_FIXED)
  if (mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to) return;
#endif
  // The system may have taken `to` away before it failed.
  void* again = mmap(to, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  LARDER_ASSERT(again == to);
  copy_pages(to, from, size);
  unmap(from, size);
}

// The sanitizer would object to reading blocks that are not in use.
#if defined(__has_attribute)
#if __has_attribute(no_sanitize)
__attribute__((no_sanitize("address")))
#endif
#endif
void copy_pages(void* to, const void* from, size_t size) {
#if defined(__SANITIZE_ADDRESS__)
  const auto* source = static_cast<const volatile uint64_t*>(from);
  auto* target = static_cast<volatile uint64_t*>(to);
  for (size_t i = 0; i < size / sizeof(uint64_t); i++) target[i] = source[i];
#else
  std::memcpy(to, from, size);
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
