// CONFIG over the wire: shapes, rights, files, secrets.

#include <gtest/gtest.h>

#include "server/core/dispatcher.h"
#include "server/core/server_stats.h"
#include "server/observe/slowlog.h"
#include "tests/support/in_process_server.h"

namespace larder::testing {
namespace {

constexpr char kSyntaxError[] = "-ERR syntax error\r\n";

TEST(ConfigCommand, GetIsAMapInResp3) {
  InProcessServer server;
  auto& client = server.connect();
  EXPECT_EQ(client.call("CONFIG", "GET", "maxmemory"), "*2\r\n$9\r\nmaxmemory\r\n$1\r\n0\r\n");
  EXPECT_EQ(client.call("CONFIG", "GET", "no-such-option"), "*0\r\n");
  client.call("HELLO", "3");
  EXPECT_EQ(client.call("config", "get", "port", "timeout"),
            "%2\r\n$4\r\nport\r\n$4\r\n6379\r\n$7\r\ntimeout\r\n$1\r\n0\r\n");
}

TEST(ConfigCommand, SetWantsPairs) {
  InProcessServer server;
  auto& client = server.connect();
  EXPECT_EQ(client.call("CONFIG", "SET", "maxmemory", "1gb", "timeout"), kSyntaxError);
  EXPECT_EQ(client.call("CONFIG", "SET", "maxmemory"), "-ERR wrong number of arguments for 'config|set' command\r\n");
  EXPECT_EQ(client.call("CONFIG", "SET", "maxmemory", "1gb", "timeout", "5"), "+OK\r\n");
  EXPECT_EQ(client.call("CONFIG", "GET", "maxmemor?", "timeout"),
            "*4\r\n$9\r\nmaxmemory\r\n$10\r\n1073741824\r\n$7\r\ntimeout\r\n$1\r\n5\r\n");
}

TEST(ConfigCommand, ProtectedOptionsAskForTheRight) {
  const std::string refused =
      "-ERR CONFIG SET failed (possibly related to argument 'dbfilename') - can't set protected config\r\n";
  ClientOrigin far;
  far.peer = "10.0.0.1:5000";
  {
    InProcessServer server;
    EXPECT_EQ(server.connect().call("CONFIG", "SET", "dbfilename", "x.rdb"), refused);
  }
  {
    InProcessServer server({.arguments = {"--enable-protected-configs", "local", "--protected-mode", "no"}});
    EXPECT_EQ(server.connect().call("CONFIG", "SET", "dbfilename", "x.rdb"), "+OK\r\n");
    EXPECT_EQ(server.connect(far).call("CONFIG", "SET", "dbfilename", "y.rdb"), refused);
  }
  {
    InProcessServer server({.arguments = {"--enable-protected-configs", "yes", "--protected-mode", "no"}});
    EXPECT_EQ(server.connect(far).call("CONFIG", "SET", "dbfilename", "y.rdb"), "+OK\r\n");
  }
}

TEST(ConfigCommand, SecretsStayOutOfTheSlowLog) {
  InProcessServer server({.arguments = {"--slowlog-log-slower-than", "0"}});
  auto& client = server.connect();
  EXPECT_EQ(client.call("CONFIG", "SET", "requirepass", "hunter2", "timeout", "60"), "+OK\r\n");
  client.call("AUTH", "hunter2");
  const std::string log = client.call("SLOWLOG", "GET", "-1");
  EXPECT_NE(log.find("requirepass"), std::string::npos) << log;
  EXPECT_EQ(log.find("hunter2"), std::string::npos) << log;
}

TEST(ConfigCommand, ResetstatKeepsWhatIsNoStatistic) {
  InProcessServer server;
  auto& client = server.connect();
  client.call("SET", "k", "v");
  server.advance_ms(200);
  const uint64_t peak = server.services().stats.memory_peak_bytes;
  EXPECT_GT(peak, 0u);
  EXPECT_EQ(client.call("CONFIG", "RESETSTAT"), "+OK\r\n");
  EXPECT_EQ(server.services().stats.memory_peak_bytes, peak);
  EXPECT_EQ(server.services().stats.dirty, 1u);
  EXPECT_EQ(server.services().stats.connections_received, 0u);
  EXPECT_EQ(client.call("INFO", "commandstats").find("cmdstat_set"), std::string::npos);
}

TEST(ConfigCommand, RewriteNeedsAFile) {
  InProcessServer server;
  auto& client = server.connect();
  EXPECT_EQ(client.call("CONFIG", "REWRITE"), "-ERR The server is running without a config file\r\n");

  server.services().identity.config_file = "/larder.conf";
  server.files().set_content("/larder.conf", "# mine\ntimeout 1\n");
  client.call("CONFIG", "SET", "timeout", "9");
  EXPECT_EQ(client.call("CONFIG", "REWRITE"), "+OK\r\n");
  EXPECT_EQ(server.files().content("/larder.conf"), "# mine\ntimeout 9\n");

  server.files().fail_call(1, ErrorCode::kNoSpace, true);
  client.call("CONFIG", "SET", "timeout", "10");
  EXPECT_EQ(client.call("CONFIG", "REWRITE").find("-ERR Rewriting config file: "), 0u);
  EXPECT_EQ(server.files().content("/larder.conf"), "# mine\ntimeout 9\n");
}

TEST(ConfigCommand, UnknownSubcommand) {
  InProcessServer server;
  auto& client = server.connect();
  EXPECT_EQ(client.call("CONFIG", "FOO"), "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n");
  EXPECT_EQ(client.call("CONFIG"), "-ERR wrong number of arguments for 'config' command\r\n");
}

}  // namespace
}  // namespace larder::testing
