#pragma once

// The process as a service: its place in the file system, its name for the system, and its way into the background.

#include <cstdint>
#include <string>

#include "base/result.h"

namespace larder {

// Absolute path of the running binary; empty when it cannot be told.
std::string os_executable_path();
// "Linux 6.1.0 x86_64".
std::string os_system_name();
Status os_change_directory(const std::string& path);
// The current directory; empty when it cannot be told.
std::string os_current_directory();
// Goes on as a process of its own session without a terminal; the caller's process ends. False when that failed.
bool os_daemonize();
// Blocks the calling thread.
void os_sleep_us(int64_t duration_us);

}  // namespace larder
