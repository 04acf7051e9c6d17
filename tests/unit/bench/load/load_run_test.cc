#include "bench/load/load_run.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "bench/load/load_connection.h"

namespace larder::load {
namespace {

// Takes connections and never says anything.
class SilentServer {
 public:
  SilentServer() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(fd_.get(), any, sizeof(address)), 0);
    EXPECT_EQ(listen(fd_.get(), 64), 0);
    socklen_t size = sizeof(address);
    EXPECT_EQ(getsockname(fd_.get(), any, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  uint16_t port() const { return port_; }

 private:
  Descriptor fd_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  uint16_t port_ = 0;
};

// A millisecond goes by whenever it is looked at.
class HastyClock : public Clock {
 public:
  int64_t mono_ns() const override { return now_ns_ += 1'000'000; }
  int64_t wall_us() const override { return mono_ns() / 1000; }
  int32_t local_offset_s(int64_t) const override { return 0; }

 private:
  mutable int64_t now_ns_ = 0;
};

// An open loop looks again at once while requests are due, and did so for ever.
TEST(LoadRun, AnOpenLoopGivesUpASilentServer) {
  const SilentServer server;
  LoadOptions options;
  options.port = server.port();
  options.clients = 2;
  options.requests = 1000;
  options.rate = 1000;
  const auto chosen = choose_workloads(*parse_load_options({"-t", "get"}));
  ASSERT_TRUE(chosen.ok());
  LoadObserver observer;
  observer.progress = [](const LoadResult&) {};
  observer.counting_starts = [] {};
  int looks = 0;
  observer.interrupted = [&] { return ++looks > 100'000; };
  const auto result = run_load(options, chosen->front(), HastyClock(), observer);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, ErrorCode::kTimeout);
}

}  // namespace
}  // namespace larder::load
