#include "base/control_group.h"

#include <algorithm>

namespace larder {
namespace {

// Whether `name` is one of the words between the commas.
bool lists(Bytes words, Bytes name) {
  while (true) {
    const size_t comma = words.find(',');
    if (words.substr(0, comma) == name) return true;
    if (comma == Bytes::npos) return false;
    words.remove_prefix(comma + 1);
  }
}

// The group's file and those of the groups around it.
void add_upwards(Bytes root, Bytes group, Bytes file, std::vector<std::string>* files) {
  while (group.ends_with('/')) group.remove_suffix(1);
  // A path that leads out of what the process can see.
  if (group.find("/..") != Bytes::npos) group = {};
  while (true) {
    files->push_back(std::string(root) + std::string(group) + "/" + std::string(file));
    if (group.empty()) return;
    group = group.substr(0, group.rfind('/'));
  }
}

}  // namespace

std::vector<std::string> memory_limit_files(Bytes groups) {
  std::vector<std::string> files;
  while (!groups.empty()) {
    const Bytes line = groups.substr(0, groups.find('\n'));
    groups.remove_prefix(std::min(line.size() + 1, groups.size()));
    const size_t first = line.find(':');
    const size_t second = first == Bytes::npos ? Bytes::npos : line.find(':', first + 1);
    if (second == Bytes::npos) continue;
    const Bytes controllers = line.substr(first + 1, second - first - 1);
    const Bytes group = line.substr(second + 1);
    if (!group.starts_with('/')) continue;
    if (controllers.empty()) add_upwards("/sys/fs/cgroup", group, "memory.max", &files);
    if (lists(controllers, "memory")) add_upwards("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes", &files);
  }
  return files;
}

}  // namespace larder
