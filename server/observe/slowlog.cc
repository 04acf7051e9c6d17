#include "server/observe/slowlog.h"

#include <algorithm>

namespace larder {
namespace {

std::string cut_argument(Bytes argument) {
  if (argument.size() <= Slowlog::kArgumentBytesMax) return std::string(argument);
  std::string kept(argument.substr(0, Slowlog::kArgumentBytesMax));
  return kept + "... (" + std::to_string(argument.size() - Slowlog::kArgumentBytesMax) + " more bytes)";
}

size_t entry_bytes(const Slowlog::Entry& entry) {
  size_t bytes = sizeof(entry) + entry.peer.size() + entry.client_name.size();
  for (const std::string& argument : entry.arguments) bytes += sizeof(argument) + argument.size();
  return bytes;
}

}  // namespace

void Slowlog::reset() {
  entries_.clear();
  memory_bytes_ = 0;
}

void Slowlog::drop_old() {
  for (; entries_.size() > entries_max_; entries_.pop_back()) memory_bytes_ -= entry_bytes(entries_.back());
}

void Slowlog::set_max_entries(size_t count) {
  entries_max_ = count;
  drop_old();
}

void Slowlog::record(std::span<const Bytes> argv, int64_t duration_us, int64_t wall_s, Bytes peer, Bytes client_name) {
  Entry entry;
  entry.id = next_id_++;
  entry.wall_s = wall_s;
  entry.duration_us = duration_us;
  const size_t kept = argv.size() <= kArgumentsMax ? argv.size() : kArgumentsMax - 1;
  for (size_t i = 0; i < kept; ++i) entry.arguments.push_back(cut_argument(argv[i]));
  if (kept < argv.size()) {
    entry.arguments.push_back("... (" + std::to_string(argv.size() - kept) + " more arguments)");
  }
  entry.peer = std::string(peer);
  entry.client_name = std::string(client_name);
  memory_bytes_ += entry_bytes(entry);
  entries_.push_front(std::move(entry));
  drop_old();
}

}  // namespace larder
