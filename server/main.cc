// The server's program: arguments become settings, settings a server, and the loop runs until it is told to stop.

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/file_system.h"
#include "base/log.h"
#include "base/os_daemon.h"
#include "base/os_process.h"
#include "base/random.h"
#include "base/version.h"
#include "base/worker.h"
#include "persistence/aof_check.h"
#include "persistence/rdb_check.h"
#include "server/command/all_families.h"
#include "server/config/command_line.h"
#include "server/config/option_table.h"
#include "server/core/disposal_thread.h"
#include "server/core/server.h"
#include "server/net/event_loop.h"
#include "server/net/net_server.h"
#include "server/net/process_limits.h"
#include "server/script/script_engine.h"

#ifdef LARDER_JEMALLOC
// Read by jemalloc when the process starts. Pages that were freed go back to the system after a second, on a thread of
// jemalloc's own: the table's segments leave their smaller sizes behind while it grows, and with the default of ten
// seconds a million keys kept 10 % more resident than they need. In huge pages they would be resident whole. Whoever frees never does it: see os_free_without_purging().
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0,oversize_threshold:0,thp:never";
}
#endif

namespace larder {
namespace {

constexpr int kExitFailure = 1;

// The process as the commands see it. The loop exists after the server, so it is attached later.
class Process final : public ProcessControl {
 public:
  void attach(NetServer& net) { net_ = &net; }

  void request_shutdown() override {
    if (net_ != nullptr) net_->request_shutdown();
  }
  void wake_loop() override {
    if (net_ != nullptr) net_->loop().wake();
  }
  void sleep_us(int64_t duration_us) override { os_sleep_us(duration_us); }
  uint64_t resident_bytes() const override { return os_resident_bytes(); }

 private:
  NetServer* net_ = nullptr;
};

int fail(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  return kExitFailure;
}

std::unique_ptr<LogSink> make_log_sink(const Settings& settings, std::string& error) {
  if (settings.logfile.empty()) return make_stdout_log_sink();
  Result<std::unique_ptr<LogSink>> sink = open_file_log_sink(settings.logfile);
  if (!sink) {
    error = "Can't open the log file: " + sink.error().to_string();
    return nullptr;
  }
  return std::move(*sink);
}

LogLevel log_level_of(const std::string& name) {
  if (name == "debug") return LogLevel::kDebug;
  if (name == "verbose") return LogLevel::kVerbose;
  if (name == "warning") return LogLevel::kWarning;
  return name == "nothing" ? LogLevel::kNothing : LogLevel::kNotice;
}

ServerIdentity make_identity(const CommandLine& command_line, const Clock& clock) {
  ServerIdentity identity;
  identity.run_id = os_entropy_hex(20);
  identity.executable = os_executable_path();
  identity.config_file = command_line.config_file;
  identity.os = os_system_name();
  identity.process_id = os_process_id();
  identity.started_ms = clock.wall_ms();
  return identity;
}

// Options that the process itself follows while it runs.
void follow_options(OptionTable& options, Log& log) {
  options.subscribe({"loglevel"}, [&options, &log] {
    log.set_level(log_level_of(options.settings().log_level));
    return Status();
  });
  // A log that is turned on in the same CONFIG SET begins in the new folder, and its name must not depend on where we are.
  options.subscribe_first({"dir"}, [&options]() -> Status {
    LARDER_TRY(os_change_directory(options.settings().dir));
    options.settings().dir = os_current_directory();
    return Status();
  });
  options.subscribe({"maxclients"}, [&options]() -> Status {
    const int64_t wanted = options.settings().maxclients;
    const int64_t fits = raise_descriptor_limit(wanted);
    if (fits >= wanted) return Status();
    return Status(
        ErrorCode::kResourceLimit,
        "The operating system is not able to handle the specified number of clients, try with " + std::to_string(fits));
  });
  options.subscribe({"port", "bind"}, [] {
    return Status(ErrorCode::kUnsupported, "the addresses of a running server cannot be changed: restart it");
  });
}

void log_addresses(Log& log, const Settings& settings) {
  if (settings.port != 0) {
    std::string addresses;
    for (const std::string& address : settings.bind) addresses += (addresses.empty() ? "" : " ") + address;
    log.notice("Listening on {} port {}", addresses, settings.port);
  }
  if (!settings.unix_socket.empty()) log.notice("Listening on the unix socket {}", settings.unix_socket);
}

// Runs the server until it is told to stop. Returns the exit code of the process.
int serve(const CommandLine& command_line, FileSystem& files, Clock& clock) {
  Settings settings = command_line.settings;
  std::string error;
  const std::unique_ptr<LogSink> sink = make_log_sink(settings, error);
  if (!sink) return fail(error);
  Log log(*sink, clock, log_level_of(settings.log_level));

  log.notice("Larder {} is starting, process {}", kVersion, os_process_id());
  if (command_line.config_file.empty()) {
    log.notice("No configuration file: defaults and the command line apply");
  } else {
    log.notice("Configuration read from {}", command_line.config_file);
  }
  const int64_t fits = raise_descriptor_limit(settings.maxclients);
  if (fits < settings.maxclients) {
    log.warning("The limit of open files allows {} clients, not the {} of maxclients", fits, settings.maxclients);
    settings.maxclients = fits;
  }
  ignore_signals_of_writes();
  if (settings.disable_thp) os_refuse_huge_pages(settings.huge_pages);

  Process process;
  DisposalThread disposal(os_free_is_short());
  ThreadWorker snapshot_worker;
  const Server::Environment environment{clock, files, log, process, disposal, snapshot_worker, os_entropy_u64(), true};
  Server server(environment, settings, all_families(), make_identity(command_line, clock));
  server.set_scripting(make_script_engine(server.services(), server.dispatcher()));
  follow_options(server.services().options, log);
  for (const Bytes name : options_without_effect(settings)) {
    log.warning("The option '{}' is accepted, but this version of Larder does not act on it", name);
  }
  EventLoop loop;
  NetServer net(loop, server);
  process.attach(net);
  server.set_request_pump(&net);
  if (const Status listening = net.listen(); !listening.ok()) {
    log.warning("Failed listening on port {}: {}", settings.port, listening.to_string());
    return kExitFailure;
  }
  for (const int signal_number : {SIGTERM, SIGINT}) {
    loop.on_signal(signal_number, [&log, &net, &server](int number) {
      log.warning("Received {}, shutting down", number == SIGTERM ? "SIGTERM" : "SIGINT");
      if (server.prepare_shutdown()) return net.request_shutdown();
      log.warning("The data could not be saved: the server goes on. SHUTDOWN NOSAVE FORCE ends it without saving.");
    });
  }
  if (!settings.pidfile.empty()) {
    const Status written = replace_file(files, settings.pidfile, std::to_string(os_process_id()) + "\n");
    if (!written.ok()) log.warning("The pid file was not written: {}", written.to_string());
  }
  server.load_data();
  log_addresses(log, settings);
  log.notice("Ready to accept connections");
  net.run();
  if (!settings.pidfile.empty()) (void)files.remove(settings.pidfile);
  log.warning("Larder is now ready to exit, bye bye...");
  return server.load_failed() ? kExitFailure : 0;
}

// `larder-check-<kind> [--fix] FILE` (a link to the server of that name) or `larder-server --check-<kind> [--fix] FILE`.
struct FileCheck {
  const char* path = nullptr;  // null: it is neither
  bool fix = false;

  FileCheck(int argc, char** argv, const std::string& kind) {
    const Bytes program(argv[0]);
    const Bytes name = program.substr(program.rfind('/') + 1);
    const bool by_name = name == "larder-check-" + kind || name == "redis-check-" + kind;
    const int first = by_name ? 1 : 2;
    if (!by_name && (argc < 2 || Bytes(argv[1]) != "--check-" + kind)) return;
    fix = argc == first + 2 && Bytes(argv[first]) == "--fix";
    if (argc == first + 1 || fix) path = argv[argc - 1];
  }
};

int check_rdb(FileSystem& files, const Clock& clock, const FileCheck& check) {
  std::string report;
  const Status checked = check_rdb_file(files, check.path, check.fix, clock.wall_ms(), &report);
  if (!checked.ok()) report += checked.to_string() + "\n";
  std::fputs(report.c_str(), stdout);
  return checked.ok() ? 0 : kExitFailure;
}

int check_log(FileSystem& files, const Clock& clock, const FileCheck& check) {
  std::string report;
  const Status checked = check_aof(files, check.path, check.fix, clock.wall_ms(), &report);
  report += checked.ok() ? "The log is whole.\n" : checked.to_string() + "\n";
  std::fputs(report.c_str(), stdout);
  return checked.ok() ? 0 : kExitFailure;
}

int run(int argc, char** argv) {
  os_free_without_purging();
  SystemClock clock;
  const std::unique_ptr<FileSystem> files = make_os_file_system();
  if (const FileCheck check(argc, argv, "rdb"); check.path != nullptr) return check_rdb(*files, clock, check);
  if (const FileCheck check(argc, argv, "aof"); check.path != nullptr) return check_log(*files, clock, check);
  Result<CommandLine> command_line = parse_command_line(argc, argv, *files);
  if (!command_line) return fail(command_line.error().message);
  if (command_line->action == CommandLine::Action::kPrint) {
    std::fputs(command_line->text.c_str(), stdout);
    return 0;
  }
  if (const Status changed = os_change_directory(command_line->settings.dir); !changed.ok()) {
    return fail("Can't chdir to '" + command_line->settings.dir + "': " + changed.error().message);
  }
  command_line->settings.dir = os_current_directory();
  if (command_line->settings.daemonize && !os_daemonize()) return fail("Can't become a daemon");
  return serve(*command_line, *files, clock);
}

}  // namespace
}  // namespace larder

int main(int argc, char** argv) { return larder::run(argc, argv); }
