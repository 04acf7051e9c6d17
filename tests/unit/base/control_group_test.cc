#include "base/control_group.h"

#include <gtest/gtest.h>

namespace larder {
namespace {

using Files = std::vector<std::string>;

TEST(ControlGroup, VersionTwoGoesUpToTheRoot) {
  EXPECT_EQ(memory_limit_files("0::/system.slice/larder.service\n"),
            (Files{"/sys/fs/cgroup/system.slice/larder.service/memory.max", "/sys/fs/cgroup/system.slice/memory.max",
                   "/sys/fs/cgroup/memory.max"}));
  EXPECT_EQ(memory_limit_files("0::/"), (Files{"/sys/fs/cgroup/memory.max"}));
  EXPECT_EQ(memory_limit_files("0::/../other\n"), (Files{"/sys/fs/cgroup/memory.max"}));
}

TEST(ControlGroup, VersionOneHasALineForTheMemoryController) {
  EXPECT_EQ(
      memory_limit_files("12:cpu,cpuacct:/a\n5:memory:/docker/b\n1:name=systemd:/c\n"),
      (Files{"/sys/fs/cgroup/memory/docker/b/memory.limit_in_bytes",
             "/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}));
  EXPECT_EQ(memory_limit_files("3:hugetlb,memory:/"), (Files{"/sys/fs/cgroup/memory/memory.limit_in_bytes"}));
}

TEST(ControlGroup, LinesThatAreWrongCountForNothing) {
  EXPECT_EQ(memory_limit_files(""), Files());
  EXPECT_EQ(memory_limit_files("0:/a\nmemory\n0::a\n\n"), Files());
}

}  // namespace
}  // namespace larder
