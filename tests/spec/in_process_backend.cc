// The server in this process: a fresh one for every case, with a clock that moves when a scenario says so.

#include "tests/spec/backend.h"
#include "tests/support/in_process_server.h"

namespace larder::spec {
namespace {

using testing::InProcessServer;

class InProcessConnection final : public SpecConnection {
 public:
  InProcessConnection(InProcessServer& server, InProcessServer::Connection& connection)
      : server_(server), connection_(connection) {}
  ~InProcessConnection() override {
    connection_.close();
    server_.run();
  }

  void send(Bytes bytes) override {
    connection_.send(bytes);
    server_.run();
  }

  ReadOutcome read(Reply* reply, int) override {
    server_.run();
    reader_.feed(connection_.take());
    const ReplyOutcome outcome = reader_.next(reply);
    if (outcome == ReplyOutcome::kReply) return ReadOutcome::kReply;
    if (outcome == ReplyOutcome::kError) return ReadOutcome::kBroken;
    return connection_.closed() || server_.shutdown_requested() ? ReadOutcome::kClosed : ReadOutcome::kNothing;
  }

  std::string error() const override { return std::string(reader_.error()); }

 private:
  InProcessServer& server_;
  InProcessServer::Connection& connection_;
  ReplyReader reader_;
};

class InProcessBackend final : public SpecBackend {
 public:
  std::string prepare(const std::vector<std::string>& arguments, bool) override {
    testing::InProcessOptions options;
    options.arguments = {"--save", "", "--enable-debug-command", "yes", "--enable-protected-configs", "yes"};
    options.arguments.insert(options.arguments.end(), arguments.begin(), arguments.end());
    server_ = std::make_unique<InProcessServer>(options);
    return server_->start_error();
  }

  std::unique_ptr<SpecConnection> connect() override {
    return std::make_unique<InProcessConnection>(*server_, server_->connect());
  }

  void advance_ms(int64_t duration_ms) override { server_->advance_ms(duration_ms); }
  bool has_simulated_clock() const override { return true; }
  std::string reference_version() override { return ""; }

 private:
  std::unique_ptr<InProcessServer> server_;
};

}  // namespace

std::unique_ptr<SpecBackend> make_in_process_backend() { return std::make_unique<InProcessBackend>(); }

}  // namespace larder::spec
