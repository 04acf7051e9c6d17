#pragma once

// The slow log: the latest commands that took longer than a threshold, with their arguments cut to a bounded size.

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace larder {

class Slowlog {
 public:
  // Arguments kept of one command, and bytes kept of one argument; what is cut is replaced by a remark.
  static constexpr size_t kArgumentsMax = 32;
  static constexpr size_t kArgumentBytesMax = 128;

  struct Entry {
    uint64_t id = 0;
    int64_t wall_s = 0;
    int64_t duration_us = 0;
    std::vector<std::string> arguments;
    std::string peer;
    std::string client_name;
  };

  // Keeps at most `count` entries; older ones are dropped.
  void set_max_entries(size_t count);
  void record(std::span<const Bytes> argv, int64_t duration_us, int64_t wall_s, Bytes peer, Bytes client_name);
  void reset();
  size_t memory_bytes() const { return memory_bytes_; }
  // Newest first.
  const std::deque<Entry>& entries() const { return entries_; }

 private:
  void drop_old();

  std::deque<Entry> entries_;
  size_t memory_bytes_ = 0;
  uint64_t next_id_ = 0;
  size_t entries_max_ = 128;
};

}  // namespace larder
