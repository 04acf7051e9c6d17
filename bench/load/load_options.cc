#include "bench/load/load_options.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "base/number_text.h"
#include "clients/cpp/endpoint.h"

namespace larder::load {
namespace {

constexpr int64_t kClientsMax = 100000;
constexpr int64_t kPipelineMax = 100000;
constexpr int64_t kValueBytesMax = int64_t{1} << 30;
constexpr int64_t kThreadsMax = 64;
constexpr int64_t kRatioMax = 1'000'000;
constexpr int64_t kRoundsMax = 1000;
// Times and intervals in nanoseconds stay within 64 bits.
constexpr double kSecondsMax = 1e9;
constexpr double kRateMin = 1e-6;
constexpr double kRateMax = 1e9;
constexpr int64_t kKeySpaceMax = 999'999'999'999;  // __rand_int__ has twelve digits

using FlagAction = std::function<Status(LoadOptions&, const std::string& value)>;

struct Flag {
  bool takes_value = true;
  FlagAction apply;
};

FlagAction integer(int64_t LoadOptions::*field, int64_t min, int64_t max) {
  return [field, min, max](LoadOptions& options, const std::string& value) {
    const auto number = parse_int64(value);
    if (!number || *number < min || *number > max) {
      return Status(ErrorCode::kInvalidArgument, "a number from " + std::to_string(min) + " to " + std::to_string(max) +
                                                     " is wanted, not '" + value + "'");
    }
    options.*field = *number;
    return Status();
  };
}

FlagAction text(std::string LoadOptions::*field) {
  return [field](LoadOptions& options, const std::string& value) {
    options.*field = value;
    return Status();
  };
}

Flag toggle(bool LoadOptions::*field) {
  return {false, [field](LoadOptions& options, const std::string&) {
            options.*field = true;
            return Status();
          }};
}

Flag protocol(int version) {
  return {false, [version](LoadOptions& options, const std::string&) {
            options.protocol_version = version;
            return Status();
          }};
}

Status set_port(LoadOptions& options, const std::string& value) {
  const auto number = parse_int64(value);
  if (!number || *number < 1 || *number > 65535) return Status(ErrorCode::kInvalidArgument, "not a port: " + value);
  options.port = static_cast<uint16_t>(*number);
  return Status();
}

FlagAction positive(double LoadOptions::*field, double min, double max, const char* what) {
  return [field, min, max, what](LoadOptions& options, const std::string& value) {
    const auto number = parse_double(value);
    if (!number || !(*number > 0 && *number >= min && *number <= max))
      return Status(ErrorCode::kInvalidArgument, "not " + std::string(what) + ": " + value);
    options.*field = *number;
    return Status();
  };
}

// Sizes beyond the bounds count as these, as in redis-benchmark.
std::optional<int64_t> size_of(const std::string& text) {
  const auto size = parse_int64(text);
  return size ? std::optional(std::clamp<int64_t>(*size, 1, kValueBytesMax)) : std::nullopt;
}

// 100, or 64-1024.
Status set_sizes(LoadOptions& options, const std::string& value) {
  const size_t dash = value.find('-', 1);  // in front it is a sign
  const auto min = size_of(value.substr(0, dash));
  const auto max = dash == std::string::npos ? min : size_of(value.substr(dash + 1));
  if (!min || !max || *min > *max) {
    return Status(ErrorCode::kInvalidArgument, "not a size or a range of sizes: " + value);
  }
  options.value_sizes = {*min, *max};
  return Status();
}

Status set_keys(LoadOptions& options, const std::string& value) {
  LARDER_TRY_ASSIGN(options.keys, parse_key_shape(value));
  return Status();
}

Status set_ratio(LoadOptions& options, const std::string& value) {
  const size_t colon = value.find(':');
  const auto sets = parse_int64(value.substr(0, colon));
  const auto gets = colon == std::string::npos ? std::nullopt : parse_int64(value.substr(colon + 1));
  if (!sets || !gets || *sets < 0 || *gets < 0 || *sets > kRatioMax || *gets > kRatioMax || *sets + *gets == 0) {
    return Status(ErrorCode::kInvalidArgument, "not SETs:GETs: " + value);
  }
  options.sets = *sets;
  options.gets = *gets;
  return Status();
}

// NAME=HOST:PORT, where the brackets of an IPv6 address may stay
Status add_server(LoadOptions& options, const std::string& value) {
  const size_t equals = value.find('=');
  const size_t colon = value.rfind(':');
  const auto port = colon == std::string::npos ? std::nullopt : parse_int64(value.substr(colon + 1));
  if (equals == std::string::npos || equals == 0 || colon <= equals + 1 || !port || *port < 1 || *port > 65535) {
    return Status(ErrorCode::kInvalidArgument, "not NAME=HOST:PORT: " + value);
  }
  std::string host = value.substr(equals + 1, colon - equals - 1);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  options.compare.push_back({value.substr(0, equals), host, static_cast<uint16_t>(*port)});
  return Status();
}

Status set_seed(LoadOptions& options, const std::string& value) {
  const auto seed = parse_uint64(value);
  if (!seed) return Status(ErrorCode::kInvalidArgument, "not a seed: " + value);
  options.seed = *seed;
  return Status();
}

Status set_tests(LoadOptions& options, const std::string& value) {
  std::string name;
  for (const char c : value + ",") {
    if (c != ',') {
      name += c;
    } else if (!name.empty()) {
      options.tests.push_back(std::exchange(name, ""));
    }
  }
  return options.tests.empty() ? Status(ErrorCode::kInvalidArgument, "no test is named") : Status();
}

Status set_keep_alive(LoadOptions& options, const std::string& value) {
  const auto number = parse_int64(value);
  if (!number) return Status(ErrorCode::kInvalidArgument, "0 or 1 is wanted, not '" + value + "'");
  options.keeps_connections = *number != 0;
  return Status();
}

// With 0 there is one key, as without the flag.
Status set_key_space(LoadOptions& options, const std::string& value) {
  const auto number = parse_int64(value);
  if (!number || *number > kKeySpaceMax) return Status(ErrorCode::kInvalidArgument, "not a number of keys: " + value);
  options.key_space = std::max<int64_t>(*number, 0);
  return Status();
}

Status set_uri(LoadOptions& options, const std::string& value) {
  LARDER_TRY_ASSIGN(const client::Endpoint endpoint, client::parse_uri(value));
  options.host = endpoint.host;
  options.port = endpoint.port;
  options.unix_socket = endpoint.unix_socket;
  options.username = endpoint.username;
  options.password = endpoint.password;
  options.database = endpoint.database;
  return Status();
}

Status accept_value(LoadOptions&, const std::string&) { return Status(); }

Status refuse_tls(LoadOptions&, const std::string&) {
  return Status(ErrorCode::kUnsupported, "connections are not encrypted; put a TLS proxy (stunnel) in between");
}

// What says how a TLS connection is made is of no use without --tls.
void add_tls_flags(std::map<std::string, Flag>& flags) {
  flags["--tls"] = {false, refuse_tls};
  flags["--insecure"] = {false, accept_value};
  for (const char* name :
       {"--sni", "--cacert", "--cacertdir", "--cert", "--key", "--tls-ciphers", "--tls-ciphersuites"}) {
    flags[name] = {true, accept_value};
  }
}

std::map<std::string, Flag> make_flags() {
  std::map<std::string, Flag> flags;
  flags["-h"] = {true, text(&LoadOptions::host)};
  flags["-p"] = {true, set_port};
  flags["-s"] = {true, text(&LoadOptions::unix_socket)};
  flags["-a"] = {true, text(&LoadOptions::password)};
  flags["--user"] = {true, text(&LoadOptions::username)};
  flags["--dbnum"] = {true, integer(&LoadOptions::database, 0, INT32_MAX)};
  flags["-2"] = protocol(2);
  flags["-3"] = protocol(3);
  flags["-c"] = {true, integer(&LoadOptions::clients, 1, kClientsMax)};
  flags["-n"] = {true, integer(&LoadOptions::requests, 1, INT64_MAX)};
  flags["--threads"] = {true, integer(&LoadOptions::threads, 1, kThreadsMax)};
  flags["--duration"] = {true, positive(&LoadOptions::duration_s, 0, kSecondsMax, "a time in seconds")};
  flags["--warmup"] = {true, positive(&LoadOptions::warmup_s, 0, kSecondsMax, "a time in seconds")};
  flags["--rate"] = {true, positive(&LoadOptions::rate, kRateMin, kRateMax, "a number of requests a second")};
  flags["-d"] = flags["--sizes"] = {true, set_sizes};
  flags["--keys"] = {true, set_keys};
  flags["--ratio"] = {true, set_ratio};
  flags["--subscribers"] = {true, integer(&LoadOptions::subscribers, 0, kClientsMax)};
  flags["--compare"] = {true, add_server};
  flags["--rounds"] = {true, integer(&LoadOptions::rounds, 1, kRoundsMax)};
  flags["--cluster"] = toggle(&LoadOptions::cluster);
  flags["--precision"] = {true, accept_value};  // always microseconds
  flags["-r"] = {true, set_key_space};
  flags["-P"] = {true, integer(&LoadOptions::pipeline, 1, kPipelineMax)};
  flags["-t"] = {true, set_tests};
  flags["--seed"] = {true, set_seed};
  flags["-k"] = {true, set_keep_alive};
  flags["-e"] = {false, accept_value};  // errors always end the run
  flags["--enable-tracking"] = toggle(&LoadOptions::tracking);
  flags["-I"] = toggle(&LoadOptions::idle);
  flags["-u"] = {true, set_uri};
  add_tls_flags(flags);
  flags["-x"] = toggle(&LoadOptions::read_last_argument);
  flags["-q"] = toggle(&LoadOptions::quiet);
  flags["-l"] = toggle(&LoadOptions::loop);
  flags["--csv"] = toggle(&LoadOptions::csv);
  flags["--json"] = toggle(&LoadOptions::json);
  flags["--help"] = toggle(&LoadOptions::help);
  flags["--version"] = flags["-v"] = toggle(&LoadOptions::version);
  return flags;
}

// What one option would make another one say nothing.
Status check_together(const LoadOptions& options) {
  const auto refused = [](const char* why) { return Status(ErrorCode::kInvalidArgument, why); };
  const bool compares = !options.compare.empty();
  if (compares && options.csv) return refused("--compare prints a table or --json, not --csv");
  if (compares && (options.loop || options.idle)) return refused("--compare takes neither -l nor -I");
  if (options.csv && options.json) return refused("--csv or --json, not both");
  if (options.read_last_argument && options.command.empty()) return refused("-x is the last argument of a command");
  if (options.sets + options.gets > 0 && !(options.tests.empty() && options.command.empty())) {
    return refused("--ratio is a test of its own: neither -t nor a command goes with it");
  }
  return Status();
}

}  // namespace

Result<LoadOptions> parse_load_options(const std::vector<std::string>& arguments) {
  const std::map<std::string, Flag> flags = make_flags();
  LoadOptions options;
  size_t at = 0;
  while (at < arguments.size() && !arguments[at].empty() && arguments[at][0] == '-') {
    const std::string& name = arguments[at++];
    const auto flag = flags.find(name);
    // More than one server may follow the word.
    while (name == "--compare" && at + 1 < arguments.size() && arguments[at + 1].find('=') != std::string::npos &&
           arguments[at + 1][0] != '-') {
      LARDER_TRY(add_server(options, arguments[at++]));
    }
    if (flag == flags.end()) return Error{ErrorCode::kInvalidArgument, "unknown option " + name};
    std::string value;
    if (flag->second.takes_value) {
      if (at == arguments.size()) return Error{ErrorCode::kInvalidArgument, name + " needs a value"};
      value = arguments[at++];
    }
    if (const Status applied = flag->second.apply(options, value); !applied.ok()) {
      return Error{ErrorCode::kInvalidArgument, name + ": " + std::string(applied.message())};
    }
  }
  options.command.assign(arguments.begin() + static_cast<ptrdiff_t>(at), arguments.end());
  LARDER_TRY(check_together(options));
  return options;
}

std::string load_help_text() {
  return R"(larder-bench: a load generator for Larder and every other RESP server

Usage: larder-bench [options] [command [arguments ...]]
A command may hold __rand_int__ (a random number of twelve digits below -r) and __data__ (a value of -d bytes).

  -h HOST, -p PORT, -s SOCKET   the server (127.0.0.1 6379)
  -u URI                        redis://user:password@host:port/db
  -a PASSWORD, --user NAME      login
  --dbnum N                     database
  -2, -3                        protocol RESP2 (the default) or RESP3
  -c N, --threads N             connections (50), divided among threads (1)
  -n N                          requests of each test (100000)
  --duration SECONDS            run each test that long instead
  --warmup SECONDS              before that, without counting
  --rate N                      N requests a second, each sent when it is due; its latency counts from that moment,
                                waiting for a free connection included. The thread spins to be on time.
                                With --duration: late requests are sent until twice that time is over
  -P N                          requests in flight per connection (1)
  -d N | MIN-MAX                bytes of a value (3)
  -r N                          keys out of N instead of one key
  --keys DISTRIBUTION           which of them: uniform, zipf[:SKEW], sequential, hot[:FRACTION:SHARE]
  --ratio SETS:GETS             one test that mixes SET and GET
  -t a,b,c                      only these tests: ping_inline ping_mbulk (both: ping) set get incr lpush rpush lpop rpop
                                sadd hset spop zadd zpopmin lrange lrange_100 lrange_300 lrange_500 lrange_600 mset;
                                besides: mget expire xadd; applications: cache session ratelimit leaderboard queue pubsub
  --subscribers N               of the pubsub test (10)
  --compare A=HOST:PORT B=...   the same tests on several servers by turns, and a table of ratios; --rounds N (3)
  -x                            the last argument of the command comes from standard input
  -k 0                          a new connection for each pipeline of requests
  -I                            only open the connections and keep them, until interrupted or for --duration
  --enable-tracking             CLIENT TRACKING ON for each connection
  --cluster                     no more than a note: of a cluster, too, only the server given is loaded
  -e, --precision N             accepted for scripts: an error always ends the run, times are in us
  --seed N                      seed of the random keys
  -l                            run for ever
  -q                            one line per test
  --csv, --json                 figures for programs
  --help, --version
)";
}

}  // namespace larder::load
