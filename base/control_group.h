#pragma once

// Where Linux says how much memory a process may have: its control group and those around it.

#include <string>
#include <vector>

#include "base/bytes.h"

namespace larder {

// The files with a limit that holds for a process, its own group's first, the root's last. `groups` is the text of
// /proc/self/cgroup, lines of "number:controllers:path": version 2 has the number 0 and no controllers, version 1 a line for
// each controller. Some of the files need not exist: a container sees its own group as the root.
std::vector<std::string> memory_limit_files(Bytes groups);

}  // namespace larder
