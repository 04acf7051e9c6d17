#pragma once

// What the system tells of this process: memory, processor time, the allocator; and its standard input.

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace larder {

// Resident memory in bytes; 0 when it cannot be told.
uint64_t os_resident_bytes();
// The machine's memory in bytes; 0 when it cannot be told.
uint64_t os_total_memory_bytes();
// The same, or the limit of the container (control group) that the process runs in when that is less.
uint64_t os_memory_limit_bytes();

// Whether a process of this number lives on this machine, as far as this process can see.
bool os_process_exists(int64_t process_id);

struct CpuTime {
  int64_t user_us = 0;
  int64_t system_us = 0;
};
enum class CpuScope : uint8_t { kProcess, kEndedChildren, kThisThread };
CpuTime os_cpu_time(CpuScope scope);

// "jemalloc-5.3.0" when that serves malloc, else "libc".
std::string os_allocator_name();
// Leaves it to jemalloc's own thread to give freed memory back, with `background_thread:true`. Otherwise who frees the last piece
// between free ones, so that 8 MB hang together, gives all of it back at once: one to two milliseconds in free(). Without
// effect on another malloc.
void os_free_without_purging();
// Whether free() takes microseconds at most, whatever it frees (15 us for 500 MB), because the allocator gives pages back on a thread of
// its own. A malloc that unmaps a large block at once takes milliseconds.
bool os_free_is_short();

// The kernel makes no huge pages of this process's memory from now on: while it gathers one (3 ms), whoever touches the
// memory waits. `except_asked_for`: none but where madvise() asks; then without effect before Linux 6.18. Without effect where the
// system cannot do it.
void os_refuse_huge_pages(bool except_asked_for);

// Whether this thread takes the processor from another when it wakes up, as threads do at first; else it waits until that one rests or its
// turn is over (SCHED_BATCH). Without effect where the system cannot do it for one thread.
void os_interrupt_others(bool wanted);
// This thread runs when no other wants its processor (nice 19, and it interrupts nobody), for work that nobody waits for: where threads
// share one, the loop would else wait for a whole slice of the scheduler, 2 to 4 ms. Not SCHED_IDLE: a thread that holds a lock for which the
// loop waits must get on.
void os_give_way();

// Everything up to the end of standard input. kResourceLimit when it is more than `bytes_max`.
Result<std::string> os_read_standard_input(uint64_t bytes_max);

}  // namespace larder
