#include "clients/cli/cli_options.h"

#include <functional>
#include <map>

#include "base/number_text.h"
#include "protocol/request_parser.h"

namespace larder::cli {
namespace {

constexpr int64_t kPortMax = 65535;

Error invalid(std::string message) { return {ErrorCode::kInvalidArgument, std::move(message)}; }

// Hands out the arguments one by one; the first error is kept.
class ArgumentList {
 public:
  explicit ArgumentList(const std::vector<std::string>& arguments) : arguments_(arguments) {}

  bool at_end() const { return at_ == arguments_.size(); }
  const std::string& next() { return arguments_[at_++]; }
  // The value of a flag.
  std::string value_of(const std::string& flag) {
    if (at_end()) {
      fail("Option " + flag + " needs a value");
      return "";
    }
    return next();
  }
  int64_t integer_of(const std::string& flag, int64_t min, int64_t max) {
    const std::string text = value_of(flag);
    const auto number = parse_int64(text);
    if (!status_.ok()) return min;
    if (!number || *number < min || *number > max) {
      fail("Invalid value '" + text + "' for " + flag);
      return min;
    }
    return *number;
  }
  double seconds_of(const std::string& flag) {
    const std::string text = value_of(flag);
    const auto number = parse_double(text);
    if (!number || *number < 0) fail("Invalid value '" + text + "' for " + flag);
    return number.value_or(0);
  }
  void fail(std::string message) {
    if (status_.ok()) status_ = Status(invalid(std::move(message)));
  }
  const Status& status() const { return status_; }
  std::vector<std::string> rest() { return {arguments_.begin() + static_cast<ptrdiff_t>(at_), arguments_.end()}; }

  bool protocol_was_chosen = false;  // by -2 or -3, which go before what a format prefers

 private:
  const std::vector<std::string>& arguments_;
  size_t at_ = 0;
  Status status_;
};

// Resolves the quotes and escapes of one argument. False when they do not close, or when it is more than one word.
bool unquote(const std::string& text, std::string& out) {
  RequestArgs words;
  if (!split_quoted_words(text, words) || words.size() != 1) return false;
  out = std::string(words[0]);
  return true;
}

using FlagAction = std::function<void(CliOptions&, ArgumentList&, const std::string& flag)>;

void apply_uri(CliOptions& options, ArgumentList& arguments, const std::string& flag) {
  Result<client::Endpoint> endpoint = client::parse_uri(arguments.value_of(flag));
  if (!endpoint) {
    arguments.fail(endpoint.error().message);
    return;
  }
  endpoint->protocol_version = options.endpoint.protocol_version;
  options.endpoint = *endpoint;
}

void add_connection_flags(std::map<std::string, FlagAction>& flags) {
  flags["-h"] = [](CliOptions& o, ArgumentList& a, const std::string& f) { o.endpoint.host = a.value_of(f); };
  flags["-p"] = [](CliOptions& o, ArgumentList& a, const std::string& f) {
    o.endpoint.port = static_cast<uint16_t>(a.integer_of(f, 0, kPortMax));
  };
  flags["-s"] = [](CliOptions& o, ArgumentList& a, const std::string& f) { o.endpoint.unix_socket = a.value_of(f); };
  flags["-a"] = flags["--pass"] = [](CliOptions& o, ArgumentList& a, const std::string& f) {
    o.endpoint.password = a.value_of(f);
  };
  flags["--user"] = [](CliOptions& o, ArgumentList& a, const std::string& f) { o.endpoint.username = a.value_of(f); };
  flags["--askpass"] = [](CliOptions& o, ArgumentList&, const std::string&) { o.ask_password = true; };
  flags["-u"] = apply_uri;
  flags["-n"] = [](CliOptions& o, ArgumentList& a, const std::string& f) {
    o.endpoint.database = static_cast<int32_t>(a.integer_of(f, 0, INT32_MAX));
  };
  const auto protocol = [](int version) {
    return [version](CliOptions& o, ArgumentList& a, const std::string&) {
      o.endpoint.protocol_version = version;
      a.protocol_was_chosen = true;
    };
  };
  flags["-2"] = protocol(2);
  flags["-3"] = protocol(3);
  flags["-t"] = [](CliOptions& o, ArgumentList& a, const std::string& f) {
    o.endpoint.connect_timeout_ms = static_cast<int64_t>(a.seconds_of(f) * 1000);
  };
  flags["--no-auth-warning"] = [](CliOptions& o, ArgumentList&, const std::string&) { o.quiet_auth_warning = true; };
  flags["--name"] = [](CliOptions& o, ArgumentList& a, const std::string& f) {
    o.endpoint.client_name = a.value_of(f);
  };
}

void add_output_flags(std::map<std::string, FlagAction>& flags) {
  const auto format = [](OutputFormat chosen) {
    return [chosen](CliOptions& o, ArgumentList&, const std::string&) { o.format = chosen; };
  };
  flags["--raw"] = format(OutputFormat::kRaw);
  flags["--no-raw"] = format(OutputFormat::kStandard);
  flags["--csv"] = format(OutputFormat::kCsv);
  flags["--json"] = format(OutputFormat::kJson);
  flags["--quoted-json"] = format(OutputFormat::kQuotedJson);
  flags["-d"] = [](CliOptions& o, ArgumentList& a, const std::string& f) { o.delimiter = a.value_of(f); };
  flags["-D"] = [](CliOptions& o, ArgumentList& a, const std::string& f) { o.reply_delimiter = a.value_of(f); };
  flags["--quoted-input"] = [](CliOptions& o, ArgumentList&, const std::string&) { o.quoted_input = true; };
  flags["-e"] = [](CliOptions& o, ArgumentList&, const std::string&) { o.exit_on_error = true; };
  flags["--show-pushes"] = [](CliOptions& o, ArgumentList& a, const std::string& f) {
    const std::string value = a.value_of(f);
    if (value != "yes" && value != "no" && value != "y" && value != "n") a.fail("--show-pushes takes yes or no");
    o.show_pushes = !value.empty() && value[0] == 'y';
  };
}

void add_mode_flags(std::map<std::string, FlagAction>& flags) {
  const auto mode = [](CliMode chosen) {
    return [chosen](CliOptions& o, ArgumentList&, const std::string&) { o.mode = chosen; };
  };
  flags["-r"] = [](CliOptions& o, ArgumentList& a, const std::string& f) { o.repeat = a.integer_of(f, -1, INT64_MAX); };
  flags["-i"] = [](CliOptions& o, ArgumentList& a, const std::string& f) { o.interval_s = a.seconds_of(f); };
  flags["-x"] = [](CliOptions& o, ArgumentList&, const std::string&) { o.read_last_argument = true; };
  flags["-X"] = [](CliOptions& o, ArgumentList& a, const std::string& f) { o.argument_tag = a.value_of(f); };
  flags["--pipe"] = mode(CliMode::kPipe);
  flags["--pipe-timeout"] = [](CliOptions& o, ArgumentList& a, const std::string& f) {
    o.pipe_timeout_s = a.integer_of(f, 0, INT32_MAX);
  };
  flags["--scan"] = mode(CliMode::kScan);
  flags["--pattern"] = [](CliOptions& o, ArgumentList& a, const std::string& f) { o.scan_pattern = a.value_of(f); };
  flags["--quoted-pattern"] = [](CliOptions& o, ArgumentList& a, const std::string& f) {
    const std::string text = a.value_of(f);
    if (!unquote(text, o.scan_pattern)) a.fail("Invalid quoted string '" + text + "' for " + f);
  };
  flags["--type"] = [](CliOptions& o, ArgumentList& a, const std::string& f) { o.scan_type = a.value_of(f); };
  flags["--count"] = [](CliOptions& o, ArgumentList& a, const std::string& f) {
    o.scan_count = a.integer_of(f, 1, INT64_MAX);
  };
  flags["--stat"] = mode(CliMode::kStat);
  flags["--latency"] = mode(CliMode::kLatency);
  flags["--latency-history"] = mode(CliMode::kLatencyHistory);
  flags["--intrinsic-latency"] = [](CliOptions& o, ArgumentList& a, const std::string& f) {
    o.mode = CliMode::kIntrinsicLatency;
    o.intrinsic_s = a.seconds_of(f);
  };
  flags["--bigkeys"] = mode(CliMode::kBigKeys);
  flags["--memkeys"] = mode(CliMode::kMemKeys);
  flags["--memkeys-samples"] = [](CliOptions& o, ArgumentList& a, const std::string& f) {
    o.mode = CliMode::kMemKeys;
    o.memory_samples = a.integer_of(f, 0, INT64_MAX);
  };
  flags["--hotkeys"] = mode(CliMode::kHotKeys);
  flags["--rdb"] = [](CliOptions& o, ArgumentList& a, const std::string& f) {
    o.mode = CliMode::kRdb;
    o.rdb_path = a.value_of(f);
  };
  flags["--eval"] = [](CliOptions& o, ArgumentList& a, const std::string& f) {
    o.mode = CliMode::kCommand;
    o.script_path = a.value_of(f);
  };
  flags["-c"] = [](CliOptions& o, ArgumentList&, const std::string&) { o.follows_redirections = true; };
  flags["--verbose"] = [](CliOptions&, ArgumentList&, const std::string&) {};
  flags["--help"] = mode(CliMode::kHelp);
  flags["-v"] = flags["--version"] = mode(CliMode::kVersion);
}

std::map<std::string, FlagAction> make_flags() {
  std::map<std::string, FlagAction> flags;
  add_connection_flags(flags);
  add_output_flags(flags);
  add_mode_flags(flags);
  return flags;
}

}  // namespace

Result<CliOptions> parse_cli_options(const std::vector<std::string>& arguments, const std::string& env_password) {
  const std::map<std::string, FlagAction> flags = make_flags();
  CliOptions options;
  options.endpoint.password = env_password;
  options.quiet_auth_warning = !env_password.empty();
  ArgumentList list(arguments);
  while (!list.at_end()) {
    const size_t left = list.rest().size();
    const std::string argument = list.rest().front();
    const auto flag = flags.find(argument);
    if (argument == "-h" && left == 1) {
      options.mode = CliMode::kHelp;
      break;
    }
    if (flag == flags.end()) {
      if (argument.size() > 1 && argument[0] == '-') {
        return invalid("Unrecognized option or bad number of args for: '" + argument + "'");
      }
      break;
    }
    list.next();
    flag->second(options, list, argument);
    LARDER_TRY(Status(list.status()));
  }
  // Maps, sets and doubles have shapes of their own only in RESP3.
  const bool json = options.format == OutputFormat::kJson || options.format == OutputFormat::kQuotedJson;
  if (json && !list.protocol_was_chosen) options.endpoint.protocol_version = 3;
  options.command = list.rest();
  if (options.quoted_input) {
    for (std::string& argument : options.command) {
      const std::string text = argument;
      if (!unquote(text, argument)) return invalid("Invalid quoted string: " + text);
    }
  }
  if (!options.command.empty() && options.mode == CliMode::kInteractive) options.mode = CliMode::kCommand;
  if (options.read_last_argument && !options.argument_tag.empty())
    return invalid("Options -x and -X exclude each other");
  return options;
}

std::string cli_help_text() {
  return R"(larder-cli: the operator's command line for Larder and every other RESP server

Usage: larder-cli [options] [command [arguments ...]]
Without a command it is interactive; with one it prints the reply and ends.

  -h HOST             host of the server (127.0.0.1)
  -p PORT             port of the server (6379)
  -s PATH             Unix socket of the server, instead of host and port
  -u URI              redis://user:password@host:port/db
  -a, --pass SECRET   password; the variable REDISCLI_AUTH keeps it off the command line
  --user NAME         user to log in as
  --askpass           ask for the password
  --name NAME         name of the connection
  -n DB               database to select
  -2, -3              protocol RESP2 (the default) or RESP3
  -t SECONDS          time to wait for a connection (5)

  -r N                run the command N times (-1: for ever)
  -i SECONDS          wait between the runs
  -x                  the last argument comes from standard input
  -X TAG              the argument TAG is replaced by standard input
  -c                  follow the redirections of a cluster
  -e                  exit code 1 when the reply is an error
  --raw, --no-raw     replies as bare bytes, or formatted as at a terminal
  --csv               replies as comma separated values
  --json              replies as JSON (with RESP3, unless -2 is given)
  --quoted-json       the same, with strings as the quoted text that is shown at a terminal
  -d DELIMITER        between the elements of a reply in raw format (a line end)
  -D DELIMITER        after each reply in raw format (a line end)
  --quoted-input      the arguments of the command are quoted: '"\x00\xff"'
  --show-pushes yes|no  show RESP3 pushes (at a terminal only)
  --no-auth-warning   no warning about a password on the command line

  --pipe              send the commands on standard input as they are, count the replies
  --pipe-timeout N    with --pipe: seconds to wait for the last reply (30; 0: for ever)
  --scan              list all keys; with --pattern GLOB, --type TYPE, --count N;
                      --quoted-pattern takes the pattern in quotes
  --stat              one line of figures a second (or every -i seconds)
  --bigkeys           scan all keys for the largest of each type, with the average sizes; --pattern GLOB
  --memkeys           the same by the memory that they take; --memkeys-samples N
  --hotkeys           the most used keys (with an lfu policy only)
  --latency           round trip times, until interrupted; not at a terminal or with --raw or --csv: min, max, average
                      and number of the samples of a second (or -i seconds), once
  --latency-history   a line of them every 15 seconds (or -i seconds)
  --intrinsic-latency SECONDS   the pauses of this machine itself
  --eval FILE [KEYS , ARGUMENTS]   run the script in FILE
  --rdb FILE          save the snapshot that a server sends its replicas ("-": standard output); Larder sends none
  --help, --version
)";
}

}  // namespace larder::cli
