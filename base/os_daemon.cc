#include "base/os_daemon.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace larder {

std::string os_executable_path() {
  char path[PATH_MAX];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof(path));
  return size > 0 ? std::string(path, static_cast<size_t>(size)) : std::string();
}

std::string os_system_name() {
  utsname name{};
  if (uname(&name) != 0) return "unknown";
  return std::string(name.sysname) + " " + name.release + " " + name.machine;
}

Status os_change_directory(const std::string& path) {
  if (chdir(path.c_str()) != 0) return os_error(errno, "change directory to " + path);
  return Status();
}

std::string os_current_directory() {
  char path[PATH_MAX];
  return getcwd(path, sizeof(path)) != nullptr ? std::string(path) : std::string();
}

bool os_daemonize() {
  const pid_t child = fork();
  if (child < 0) return false;
  if (child > 0) _exit(0);
  if (setsid() < 0) return false;
  const int null_device = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null_device < 0) return false;
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(null_device, fd);
  close(null_device);
  return true;
}

void os_sleep_us(int64_t duration_us) {
  timespec rest{static_cast<time_t>(duration_us / 1000000), static_cast<long>(duration_us % 1000000) * 1000};
  while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
  }
}

}  // namespace larder
