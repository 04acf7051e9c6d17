// What clients are told while data are loaded.

#include <gtest/gtest.h>

#include <string>

#include "tests/command/log_server.h"
#include "tests/support/in_process_server.h"

namespace larder {
namespace {

using testing::InProcessServer;
using testing::log_options;
using testing::started;
using Connection = InProcessServer::Connection;

// A request that comes in pieces, all of which come while one key is loaded.
TEST(Loading, ClientsAreAnsweredInTheMiddleOfALargeCollection) {
  for (const char* log : {"no", "yes"}) {
    MemoryFileSystem files;
    const auto options = log_options(files, "no", {"--appendonly", log, "--enable-debug-command", "yes"});
    {
      InProcessServer server(options);
      Connection& client = started(server);
      client.call("EVAL", "for i = 1, 200000 do redis.call('SADD', 's', 'member number ' .. i) end", "0");
      client.call(log[0] == 'y' ? "BGREWRITEAOF" : "SAVE");
      server.advance_ms(500);
    }
    InProcessServer server(options);
    server.clock().set_look_us(6000);
    Connection& client = server.connect();
    client.set_receive_bytes(4);
    client.send_request({"GET", "k"});
    Connection& debug = server.connect();
    debug.set_receive_bytes(8);
    debug.send_request({"DEBUG", "DIGEST"});
    for (int turns = 0; turns < 3 && client.arrived().empty(); ++turns) server.run_turn();
    const std::string loading = "-LOADING Redis is loading the dataset in memory\r\n";
    EXPECT_EQ(client.take(), loading) << log;
    EXPECT_EQ(debug.take(), loading) << log;
    server.clock().set_look_us(0);
    server.run();
    EXPECT_EQ(server.connect().call("SCARD", "s"), ":200000\r\n");
  }
}

TEST(Loading, AServerThatIsToldToEndInTheMiddleOfACollectionEnds) {
  MemoryFileSystem files;
  const auto options = log_options(files, "no", {"--appendonly", "no", "--save", "1 1"});
  {
    InProcessServer server(options);
    Connection& client = started(server);
    client.call("EVAL", "for i = 1, 100000 do redis.call('RPUSH', 'l', 'element number ' .. i) end", "0");
    client.call("SAVE");
  }
  const std::string before = files.content("/dump.rdb");
  InProcessServer server(options);
  server.clock().set_look_us(6000);
  Connection& client = server.connect();
  client.set_receive_bytes(8);
  client.send_request({"SHUTDOWN"});
  for (int turns = 0; turns < 3 && !server.shutdown_requested(); ++turns) server.run_turn();
  EXPECT_TRUE(server.shutdown_requested());
  EXPECT_EQ(files.content("/dump.rdb"), before);
}

}  // namespace
}  // namespace larder
