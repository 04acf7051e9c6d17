#pragma once

// What commands give to the log and the replicas, as lines of text.

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "server/core/propagation.h"
#include "tests/support/in_process_server.h"

namespace larder::testing {

// Keeps what it is told: each command as one text, and as words.
class EffectRecorder final : public PropagationSink {
 public:
  void command(uint16_t, std::span<const Bytes> argv) override {
    words_.emplace_back(argv.begin(), argv.end());
    std::string line;
    for (const Bytes word : argv) line += (line.empty() ? "" : " ") + std::string(word);
    lines_.push_back(line);
  }
  void begin_unit() override {}
  void end_unit() override {}
  void abandon_unit() override {}
  uint64_t end_group() override { return 0; }

  std::vector<std::string> take_lines() { return std::exchange(lines_, {}); }
  const std::vector<std::vector<std::string>>& words() const { return words_; }

 private:
  std::vector<std::string> lines_;
  std::vector<std::vector<std::string>> words_;
};

class EffectsTest : public ::testing::Test {
 protected:
  EffectsTest() { server_.services().propagation.set_sink(&recorder_); }
  ~EffectsTest() override { server_.services().propagation.set_sink(nullptr); }

  static void send(InProcessServer::Connection& client, const std::string& line) {
    std::vector<std::string> words;
    for (size_t at = 0; at < line.size();) {
      const size_t end = std::min(line.find(' ', at), line.size());
      words.push_back(line.substr(at, end - at));
      at = end + 1;
    }
    client.send_request(words);
  }
  std::string run(const std::string& line) {
    send(client_, line);
    server_.run();
    return client_.take();
  }
  // What a request gives on.
  std::vector<std::string> effect(const std::string& line) {
    recorder_.take_lines();
    run(line);
    return recorder_.take_lines();
  }
  std::string now() { return std::to_string(server_.clock().wall_us() / 1000); }

  InProcessServer server_;
  InProcessServer::Connection& client_ = server_.connect();
  EffectRecorder recorder_;
};

}  // namespace larder::testing
