// A log is loaded under other settings than it was written with: it comes back as it was, or not at all.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/command/log_server.h"

namespace larder {
namespace {

using testing::InProcessServer;
using testing::log_options;
using testing::started;
using Connection = InProcessServer::Connection;
using Words = std::vector<std::string>;

TEST(LogSettings, DatabasesThatAreNotConfiguredAreRefused) {
  for (const bool in_transaction : {false, true}) {
    for (const char* base : {"none", "commands"}) {
      MemoryFileSystem files;
      const Words commands = {"--aof-use-rdb-preamble", "no"};
      {
        InProcessServer server(log_options(files, "always", commands));
        Connection& client = started(server);
        client.call("SET", "k", "of 0");
        if (in_transaction) client.call("MULTI");
        client.call("SELECT", "9");
        client.call("SET", "k", "of 9");
        client.call("SET", "j", "of 9");
        if (in_transaction) client.call("EXEC");
        if (base == std::string("commands")) client.call("BGREWRITEAOF");
        server.advance_ms(200);
      }
      {
        InProcessServer server(log_options(files, "always", {"--databases", "4"}));
        server.run();
        EXPECT_TRUE(server.server().load_failed()) << in_transaction << ", " << base;
        EXPECT_NE(server.log_text().find("-ERR DB index is out of range. Start with as many --databases"),
                  std::string::npos);
      }
      InProcessServer server(log_options(files, "always"));
      Connection& client = started(server);
      EXPECT_EQ(client.call("GET", "k"), "$4\r\nof 0\r\n");
      client.call("SELECT", "9");
      EXPECT_EQ(client.call("GET", "k"), "$4\r\nof 9\r\n");
    }
  }
}

TEST(LogSettings, StringsAreAsLongAsTheyWereAllowedToBe) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always"));
    Connection& client = started(server);
    client.call("SETRANGE", "range", "3000000", "x");
    client.call("SET", "appended", std::string(1024 * 1024, 'x'));
    client.call("APPEND", "appended", "y");
    client.call("SETBIT", "bits", "80000000", "1");
    client.call("BITFIELD", "fields", "SET", "u8", "80000000", "7");
  }
  InProcessServer server(log_options(files, "always", {"--proto-max-bulk-len", "1mb"}));
  Connection& client = started(server);
  EXPECT_EQ(client.call("STRLEN", "range"), ":3000001\r\n");
  EXPECT_EQ(client.call("STRLEN", "appended"), ":1048577\r\n");
  EXPECT_EQ(client.call("STRLEN", "bits"), ":10000001\r\n");
  EXPECT_EQ(client.call("STRLEN", "fields"), ":10000001\r\n");
  EXPECT_EQ(client.call("SETRANGE", "range", "3000001", "x").substr(0, 4), "-ERR") << "of clients it is a limit";
}

// Commands that clients know by another name, or by none, are in the log under their own.
TEST(LogSettings, RenamedCommandsAreLoadedUnderAnyNames) {
  const Words renamed = {"--rename-command", "SET",   "PUT", "--rename-command", "XGROUP",    "",
                         "--rename-command", "DEL",   "",    "--rename-command", "SELECT",    "GO",
                         "--rename-command", "MULTI", "",    "--rename-command", "PEXPIREAT", ""};
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always"));
    Connection& client = started(server);
    client.call("XGROUP", "CREATE", "stream", "group", "$", "MKSTREAM");
  }
  const std::string writing = "redis.call('RPUSH', 'l', 1) redis.call('RPUSH', 'l', 2)";
  for (int start = 0; start < 2; ++start) {
    InProcessServer server(log_options(files, "always", renamed));
    Connection& client = started(server);
    ASSERT_FALSE(server.server().load_failed()) << server.log_text();
    EXPECT_EQ(client.call("PUT", "gone", "1", "PX", "20"), "+OK\r\n");
    EXPECT_EQ(client.call("PUT", "k" + std::to_string(start), "1"), "+OK\r\n");
    EXPECT_EQ(client.call("EXPIRE", "k0", "1000"), ":1\r\n");
    EXPECT_EQ(client.call("EVAL", writing, "0"), "$-1\r\n");
    client.call("GO", "2");
    EXPECT_EQ(client.call("PUT", "k", "of 2"), "+OK\r\n");
    server.advance_ms(50);
  }
  InProcessServer server(log_options(files, "always"));
  Connection& client = started(server);
  ASSERT_FALSE(server.server().load_failed()) << server.log_text();
  EXPECT_EQ(client.call("EXISTS", "k0", "k1", "gone", "stream"), ":3\r\n");
  EXPECT_EQ(client.call("LLEN", "l"), ":4\r\n");
  EXPECT_EQ(files.content("/appendonlydir/appendonly.aof.1.incr.aof").find("PUT"), std::string::npos);
}

// ---- DEBUG RELOAD beside a log

const Words kDebug = {"--enable-debug-command", "yes"};

TEST(LogSettings, WhatExpiresInAReloadIsLogged) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always", kDebug));
    Connection& client = started(server);
    client.call("DEBUG", "SET-ACTIVE-EXPIRE", "0");
    client.call("SET", "k", "5", "PX", "20");
    server.advance_ms(50);
    EXPECT_EQ(client.call("DEBUG", "RELOAD"), "+OK\r\n");
    EXPECT_EQ(client.call("INCR", "k"), ":1\r\n");
  }
  InProcessServer server(log_options(files, "always"));
  EXPECT_EQ(started(server).call("GET", "k"), "$1\r\n1\r\n");
}

TEST(LogSettings, AReloadOfOtherDataIsFollowedByARewrite) {
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always", kDebug));
    Connection& client = started(server);
    client.call("SET", "k", "5");
    client.call("SAVE");
    client.call("INCR", "k");
    client.call("SET", "j", "1");
    EXPECT_EQ(client.call("DEBUG", "RELOAD", "NOSAVE"), "+OK\r\n");
    server.advance_ms(500);
    EXPECT_EQ(client.call("INCR", "k"), ":6\r\n");
  }
  InProcessServer server(log_options(files, "always"));
  Connection& client = started(server);
  EXPECT_EQ(client.call("GET", "k"), "$1\r\n6\r\n");
  EXPECT_EQ(client.call("EXISTS", "j"), ":0\r\n");
}

// Before its log has a base of what was loaded, a start finds what was there before.
TEST(LogSettings, AReloadOfOtherDataIsNotMixedWithTheLog) {
  for (const bool is_complete : {false, true}) {
    MemoryFileSystem files;
    {
      InProcessServer server(log_options(files, "always", kDebug));
      Connection& client = started(server);
      client.call("SET", "k", "5");
      client.call("SAVE");
      client.call("INCR", "k");
      client.send_request({"MULTI"});
      client.send_request({"INCR", "k"});
      client.send_request({"DEBUG", "RELOAD", "NOSAVE"});
      client.send_request({"INCR", "k"});
      client.send_request({"EXEC"});
      server.run_turn();
      server.run_turn();
      if (is_complete) server.advance_ms(2000);
      files.power_cut();
    }
    InProcessServer server(log_options(files, "always"));
    const std::string value = started(server).call("GET", "k");
    EXPECT_TRUE(value == "$1\r\n6\r\n" || (value == "$1\r\n7\r\n" && !is_complete)) << value;
  }
}

void flip_in_the_middle(MemoryFileSystem& files, const std::string& path) {
  std::string bytes = files.content(path);
  bytes[bytes.size() / 2] ^= 1;
  files.set_content(path, bytes);
}

// Nothing is forgotten for a file that cannot be loaded.
TEST(LogSettings, AReloadOfADamagedFileChangesNothing) {
  const std::string failed = "-ERR Error trying to load the RDB dump, check server logs.\r\n";
  MemoryFileSystem files;
  {
    InProcessServer server(log_options(files, "always", kDebug));
    Connection& client = started(server);
    for (int i = 0; i < 100; ++i) client.call("SET", "k" + std::to_string(i), "v");
    client.call("SAVE");
    EXPECT_EQ(client.call("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH"), failed) << "keys that are there already";
    EXPECT_NE(server.log_text().find("is there already"), std::string::npos) << server.log_text();
    EXPECT_EQ(client.call("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE"), "+OK\r\n");
    server.advance_ms(500);
    flip_in_the_middle(files, "/dump.rdb");
    client.call("SET", "later", "v");
    EXPECT_EQ(client.call("DEBUG", "RELOAD", "NOSAVE"), failed);
    EXPECT_EQ(client.call("DBSIZE"), ":101\r\n");
    client.call("SET", "last", "v");
    EXPECT_FALSE(server.server().load_failed());
  }
  InProcessServer server(log_options(files, "always"));
  EXPECT_EQ(started(server).call("DBSIZE"), ":102\r\n");
}

// What is seen too late, as a library that does not load: the process ends, and a start has the old data again.
TEST(LogSettings, AReloadThatFailsHalfWayEndsTheServer) {
  for (const char* log : {"yes", "no"}) {
    MemoryFileSystem files;
    const Words more = {"--enable-debug-command", "yes", "--rdbchecksum", "no", "--rdbcompression", "no",
                        "--appendonly",           log,   "--save",        "1 1"};
    std::string saved;
    {
      InProcessServer server(log_options(files, "always", more));
      Connection& client = started(server);
      client.call("SET", "k", "v");
      client.call("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)");
      client.call("SAVE");
      saved = files.content("/dump.rdb");
      const std::string word = "register_function";
      ASSERT_NE(saved.find(word), std::string::npos);
      files.set_content("/dump.rdb", std::string(saved).replace(saved.find(word), word.size(), "register_nothing!"));
      client.send_request({"DEBUG", "RELOAD", "NOSAVE"});
      client.send_request({"SET", "k", "other"});
      server.run();
      EXPECT_TRUE(server.server().load_failed());
      EXPECT_TRUE(server.shutdown_requested());
      EXPECT_TRUE(server.server().prepare_shutdown()) << "a signal";
      EXPECT_EQ(client.take(), "-ERR Error trying to load the RDB dump, check server logs.\r\n");
    }
    EXPECT_NE(files.content("/dump.rdb").find("register_nothing!"), std::string::npos) << "not saved over";
    files.set_content("/dump.rdb", saved);
    InProcessServer server(log_options(files, "always", more));
    EXPECT_EQ(started(server).call("GET", "k"), "$1\r\nv\r\n") << log;
  }
}

}  // namespace
}  // namespace larder
