// One huge page at a time, made ready by another thread.
//
// Making one takes the system 0.3 to 10 ms (it clears two megabytes, and moves other memory out of the way), which the loop must
// not wait for: take() asks the Disposal's thread for one and has it some later time.
#pragma once

#include <cstddef>

#include "storage/disposal.h"

namespace larder {

class HugePage {
 public:
  static constexpr size_t kBytes = 2 * 1024 * 1024;

  // Null: there are never any.
  explicit HugePage(Disposal* disposal) : disposal_(disposal) {}
  ~HugePage();
  HugePage(const HugePage&) = delete;
  HugePage& operator=(const HugePage&) = delete;

  // Resident memory from map_huge_pages(), the caller's to unmap; or null: not yet, or the system has none. Then one is asked for.
  void* take();
  // Whether the system had none when it was asked last.
  bool is_refused() const { return is_refused_; }

 private:
  struct Order;
  static void make(void* order);
  void ask();

  Disposal* disposal_;
  Order* order_ = nullptr;  // shared with the other thread while it is at it
  bool is_refused_ = false;
};

}  // namespace larder
