#include "server/net/listener.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "base/bytes.h"

namespace larder {
namespace {

std::string congestion_control_of(int fd) {
  char name[64] = {};
  socklen_t size = sizeof(name) - 1;
  EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size), 0);
  return name;
}

std::string default_congestion_control() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const std::string name = congestion_control_of(fd);
  close(fd);
  return name;
}

// An address of this machine other than of its loopback interface; empty: it has none.
std::string outer_address() {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return {};
  std::string found;
  for (const ifaddrs* each = all; each != nullptr && found.empty(); each = each->ifa_next) {
    if (each->ifa_addr == nullptr || each->ifa_addr->sa_family != AF_INET) continue;
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(each->ifa_addr)->sin_addr, text, sizeof(text));
    if (Bytes(text).substr(0, 4) != "127.") found = text;
  }
  freeifaddrs(all);
  return found;
}

// What the server's side of a connection to that address of this machine has.
std::string accepted_congestion_control(const std::string& address) {
  EventLoop loop;
  std::string name;
  Result<Listener*> listener = Listener::listen_tcp(loop.raw(), "*", 0, {}, [&](int fd, const ClientOrigin&) {
    name = congestion_control_of(fd);
    close(fd);
    loop.stop();
  });
  if (!listener) return "not listening";
  sockaddr_in to{};
  socklen_t size = sizeof(to);
  EXPECT_EQ(getsockname((*listener)->fd(), reinterpret_cast<sockaddr*>(&to), &size), 0);
  EXPECT_EQ(inet_pton(AF_INET, address.c_str(), &to.sin_addr), 1);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
  loop.run();
  close(client);
  EXPECT_NE(congestion_control_of((*listener)->fd()).substr(0, 3), "bbr");
  (*listener)->close_and_destroy();
  return name;
}

TEST(Listener, ConnectionsWithinTheMachineAreNotPaced) {
  EXPECT_NE(accepted_congestion_control("127.0.0.1").substr(0, 3), "bbr");
}

TEST(Listener, ConnectionsFromElsewhereHaveTheDefault) {
  const std::string address = outer_address();
  if (address.empty()) GTEST_SKIP() << "no address but loopback";
  EXPECT_EQ(accepted_congestion_control(address), default_congestion_control());
}

}  // namespace
}  // namespace larder
