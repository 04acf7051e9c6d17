#include "bench/load/workload.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace larder::load {
namespace {

constexpr Bytes kNumberMark = "__rand_int__";
constexpr Bytes kDataMark = "__data__";
constexpr size_t kNumberDigits = 12;
static_assert(kNumberMark.size() == kNumberDigits);

Workload test(std::string name, std::string title, std::vector<std::string> arguments) {
  Workload workload;
  workload.name = std::move(name);
  workload.title = std::move(title);
  workload.commands.push_back({std::move(arguments)});
  return workload;
}

std::vector<std::string> repeated(std::string command, const std::vector<std::string>& arguments, int times) {
  std::vector<std::string> all = {std::move(command)};
  for (int i = 0; i < times; ++i) all.insert(all.end(), arguments.begin(), arguments.end());
  return all;
}

Workload ping_inline() {
  Workload workload = test("ping_inline", "PING_INLINE", {"PING"});
  workload.is_inline = true;
  return workload;
}

// The tests of redis-benchmark, in its order.
const std::vector<Workload>& default_suite() {
  static const std::vector<Workload> kSuite = {
      ping_inline(),
      test("ping_mbulk", "PING_MBULK", {"PING"}),
      test("set", "SET", {"SET", "key:__rand_int__", "__data__"}),
      test("get", "GET", {"GET", "key:__rand_int__"}),
      test("incr", "INCR", {"INCR", "counter:__rand_int__"}),
      test("lpush", "LPUSH", {"LPUSH", "mylist", "__data__"}),
      test("rpush", "RPUSH", {"RPUSH", "mylist", "__data__"}),
      test("lpop", "LPOP", {"LPOP", "mylist"}),
      test("rpop", "RPOP", {"RPOP", "mylist"}),
      test("sadd", "SADD", {"SADD", "myset", "element:__rand_int__"}),
      test("hset", "HSET", {"HSET", "myhash", "element:__rand_int__", "__data__"}),
      test("spop", "SPOP", {"SPOP", "myset"}),
      test("zadd", "ZADD", {"ZADD", "myzset", "0", "element:__rand_int__"}),
      test("zpopmin", "ZPOPMIN", {"ZPOPMIN", "myzset"}),
      test("lrange", "LPUSH (needed to benchmark LRANGE)", {"LPUSH", "mylist", "__data__"}),
      test("lrange_100", "LRANGE_100 (first 100 elements)", {"LRANGE", "mylist", "0", "99"}),
      test("lrange_300", "LRANGE_300 (first 300 elements)", {"LRANGE", "mylist", "0", "299"}),
      test("lrange_500", "LRANGE_500 (first 500 elements)", {"LRANGE", "mylist", "0", "499"}),
      test("lrange_600", "LRANGE_600 (first 600 elements)", {"LRANGE", "mylist", "0", "599"}),
      test("mset", "MSET (10 keys)", repeated("MSET", {"key:__rand_int__", "__data__"}, 10)),
  };
  return kSuite;
}

Workload application(std::string name, std::string title, std::vector<WorkloadCommand> commands, int64_t key_space,
                     KeyShape keys, ValueSizes sizes) {
  Workload workload;
  workload.name = std::move(name);
  workload.title = std::move(title);
  workload.commands = std::move(commands);
  workload.key_space = key_space;
  workload.keys = keys;
  workload.sizes = sizes;
  return workload;
}

Workload pubsub() {
  Workload workload = application("pubsub", "pubsub",  // the rest: describe()
                                  {{{"PUBLISH", "channel:__rand_int__", "__data__"}}}, 16, {}, {64, 64});
  workload.subscribers = 10;
  return workload;
}

// What applications do, in the proportions in which they do it.
const std::vector<Workload>& application_workloads() {
  static const KeyShape kZipf{.distribution = KeyDistribution::kZipf};
  static const std::vector<Workload> kWorkloads = {
      application("cache", "cache: 90 % GET, 10 % SET with a time to live",
                  {{{"GET", "cache:__rand_int__"}, 9}, {{"SET", "cache:__rand_int__", "__data__", "EX", "3600"}, 1}},
                  1'000'000, kZipf, {64, 1024}),
      application("session", "session: 60 % GET, 25 % SET with a time to live, 10 % EXPIRE, 5 % DEL",
                  {{{"GET", "session:__rand_int__"}, 12},
                   {{"SET", "session:__rand_int__", "__data__", "EX", "1800"}, 5},
                   {{"EXPIRE", "session:__rand_int__", "1800"}, 2},
                   {{"DEL", "session:__rand_int__"}, 1}},
                  200'000, {}, {256, 2048}),
      application("ratelimit", "ratelimit: a counter for each client and window",
                  {{{"SET", "limit:__rand_int__", "0", "EX", "60", "NX"}, 1}, {{"INCR", "limit:__rand_int__"}, 3}},
                  100'000, kZipf, {}),
      application("leaderboard", "leaderboard: 40 % ZINCRBY, 30 % the first ten, 30 % ZREVRANK",
                  {{{"ZINCRBY", "board", "1", "player:__rand_int__"}, 4},
                   {{"ZREVRANGE", "board", "0", "9", "WITHSCORES"}, 3},
                   {{"ZREVRANK", "board", "player:__rand_int__"}, 3}},
                  100'000, kZipf, {}),
      application("queue", "queue: as many LPUSH as RPOP on 16 lists",
                  {{{"LPUSH", "queue:__rand_int__", "__data__"}, 1}, {{"RPOP", "queue:__rand_int__"}, 1}}, 16, {},
                  {64, 512}),
      pubsub(),
  };
  return kWorkloads;
}

// What -t can name besides.
const std::vector<Workload>& more_tests() {
  static const std::vector<Workload> kMore = {
      test("mget", "MGET (10 keys)", repeated("MGET", {"key:__rand_int__"}, 10)),
      test("expire", "SET with a time to live", {"SET", "key:__rand_int__", "__data__", "EX", "3600"}),
      test("xadd", "XADD", {"XADD", "mystream", "*", "myfield", "__data__"}),
  };
  return kMore;
}

// "ping" means both of its forms, "lrange" all lengths; each length needs the list.
bool is_called(const Workload& workload, const std::string& name) {
  const Bytes own = workload.name;
  if (equals_ignore_case(own, name)) return true;
  if (equals_ignore_case(name, "ping")) return own.starts_with("ping_");
  if (equals_ignore_case(name, "lrange")) return own.starts_with("lrange_");
  if (own != "lrange") return false;
  return std::ranges::any_of(default_suite(), [&](const Workload& other) {
    return Bytes(other.name).starts_with("lrange_") && equals_ignore_case(other.name, name);
  });
}

// In the order of the tables, each once, whatever the order of the names: SET comes before GET and the list before LRANGE.
Result<std::vector<Workload>> named_tests(const std::vector<std::string>& names) {
  std::vector<Workload> chosen;
  std::vector<bool> is_known(names.size());
  for (const std::vector<Workload>* table : {&default_suite(), &more_tests(), &application_workloads()}) {
    for (const Workload& workload : *table) {
      bool is_chosen = false;
      for (size_t i = 0; i < names.size(); ++i) {
        if (!is_called(workload, names[i])) continue;
        is_known[i] = is_chosen = true;
      }
      if (is_chosen) chosen.push_back(workload);
    }
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (!is_known[i]) return Error{ErrorCode::kInvalidArgument, "unknown test '" + names[i] + "'"};
  }
  return chosen;
}

Workload mix_of(const LoadOptions& options) {
  Workload mix = test("mix", std::to_string(options.sets) + " SET to " + std::to_string(options.gets) + " GET", {});
  mix.commands = {{{"SET", "key:__rand_int__", "__data__"}, static_cast<uint32_t>(options.sets)},
                  {{"GET", "key:__rand_int__"}, static_cast<uint32_t>(options.gets)}};
  return mix;
}

Workload command_of(const LoadOptions& options) {
  std::string title;
  const size_t shown = options.command.size() - (options.read_last_argument ? 1 : 0);
  for (size_t i = 0; i < shown; ++i) title += (i == 0 ? "" : " ") + options.command[i];
  return test("command", title, options.command);
}

bool draws_numbers(const Workload& workload) {
  return std::ranges::any_of(workload.commands, [](const WorkloadCommand& command) {
    return std::ranges::any_of(command.arguments,
                               [](const std::string& argument) { return argument.find(kNumberMark) != Bytes::npos; });
  });
}

// With -r redis-benchmark draws the scores of its ZADD, too. A sequence is of the members alone.
void draw_scores(std::vector<Workload>& workloads, const LoadOptions& options) {
  const bool is_sequence = options.keys && options.keys->distribution == KeyDistribution::kSequential;
  if (options.key_space == 0 || is_sequence) return;
  for (Workload& workload : workloads) {
    if (workload.name == "zadd") workload.commands[0].arguments[2] = kNumberMark;
  }
}

// What the options may change of an application's workload is in its title as they have it.
void describe(Workload& workload, const LoadOptions& options) {
  if (workload.subscribers > 0) {
    workload.title += ": " + std::to_string(key_space_of(workload, options)) + " channels, " +
                      std::to_string(subscribers_of(workload, options)) + " subscribers of all";
  } else if (workload.key_space > 0 && options.keys.value_or(workload.keys).distribution == KeyDistribution::kZipf) {
    workload.title += ", zipf";
  }
}

// Letters without a pattern: a value that is compressed on its way to the disk costs what one of an application does.
std::string value_text(int64_t bytes) {
  Random random(1);
  std::string value(static_cast<size_t>(bytes), '\0');
  for (char& c : value) c = static_cast<char>('A' + random.uniform(26));
  return value;
}

std::string replace_all(std::string text, Bytes mark, const std::string& by) {
  for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + by.size())) {
    text.replace(at, mark.size(), by);
  }
  return text;
}

ValueSizes sizes_of(const Workload& workload, const LoadOptions& options) {
  if (options.value_sizes.min_bytes > 0) return options.value_sizes;
  return workload.sizes.min_bytes > 0 ? workload.sizes : ValueSizes{3, 3};
}

// Where the part of a stream begins: the first ones take one more where the parts cannot be equal, as with requests.
uint64_t first_of(uint64_t space, uint64_t stream, uint64_t stream_count) {
  return space / stream_count * stream + std::min(stream, space % stream_count);
}

}  // namespace

int64_t key_space_of(const Workload& workload, const LoadOptions& options) {
  return options.key_space > 0 ? options.key_space : workload.key_space;
}

int64_t subscribers_of(const Workload& workload, const LoadOptions& options) {
  return options.subscribers >= 0 ? options.subscribers : workload.subscribers;
}

RequestTemplate::RequestTemplate(const std::vector<std::string>& arguments, int64_t value_bytes) {
  const std::string value = value_text(value_bytes);
  encoded_ = "*" + std::to_string(arguments.size()) + "\r\n";
  for (const std::string& argument : arguments) {
    const std::string filled = replace_all(argument, kDataMark, value);
    encoded_ += "$" + std::to_string(filled.size()) + "\r\n";
    for (size_t at = filled.find(kNumberMark); at != std::string::npos; at = filled.find(kNumberMark, at + 1)) {
      number_offsets_.push_back(encoded_.size() + at);
    }
    encoded_ += replace_all(filled, kNumberMark, std::string(kNumberDigits, '0')) + "\r\n";
  }
}

RequestTemplate RequestTemplate::inline_request(const std::string& line) {
  RequestTemplate request;
  request.encoded_ = line + "\r\n";
  return request;
}

void RequestTemplate::append_to(Buffer& out, KeySource& keys, Random& random) const {
  char* at = out.reserve(encoded_.size());
  std::memcpy(at, encoded_.data(), encoded_.size());
  for (const size_t offset : number_offsets_) {
    uint64_t number = keys.next(random);
    for (size_t digit = kNumberDigits; digit-- > 0 && number > 0; number /= 10) {
      at[offset + digit] = static_cast<char>('0' + number % 10);
    }
  }
  out.commit(encoded_.size());
}

RequestSource::RequestSource(const Workload& workload, const LoadOptions& options, uint64_t stream,
                             uint64_t stream_count)
    : random_(options.seed ? *options.seed + stream : os_entropy_u64()),
      keys_(options.keys.value_or(workload.keys), static_cast<uint64_t>(key_space_of(workload, options)),
            first_of(static_cast<uint64_t>(key_space_of(workload, options)), stream, stream_count)) {
  if (workload.is_inline) {
    templates_.push_back(RequestTemplate::inline_request(workload.commands[0].arguments[0]));
    weight_sums_.push_back(1);
    return;
  }
  const ValueSizes range = sizes_of(workload, options);
  const int64_t count = std::min(kSizesMax, range.max_bytes - range.min_bytes + 1);
  sizes_ = static_cast<size_t>(count);
  uint32_t weights = 0;
  for (const WorkloadCommand& command : workload.commands) {
    weights += command.weight;
    weight_sums_.push_back(weights);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t step = count > 1 ? (range.max_bytes - range.min_bytes) * i / (count - 1) : 0;
      templates_.emplace_back(command.arguments, range.min_bytes + step);
    }
  }
}

void RequestSource::append_to(Buffer& out) {
  size_t command = 0;
  if (weight_sums_.size() > 1) {
    const uint64_t draw = random_.uniform(weight_sums_.back());
    while (draw >= weight_sums_[command]) ++command;
  }
  const size_t size = sizes_ > 1 ? random_.uniform(sizes_) : 0;
  templates_[command * sizes_ + size].append_to(out, keys_, random_);
}

Result<std::vector<Workload>> choose_workloads(const LoadOptions& options) {
  std::vector<Workload> chosen;
  if (!options.command.empty()) {
    if (equals_ignore_case(options.command[0], "monitor")) {
      return Error{ErrorCode::kUnsupported, "MONITOR has no end: it is a stream of what others do, not a request"};
    }
    chosen.push_back(command_of(options));
  } else if (options.sets > 0 || options.gets > 0) {
    chosen.push_back(mix_of(options));
  } else if (options.tests.empty()) {
    chosen = default_suite();
  } else {
    LARDER_TRY_ASSIGN(chosen, named_tests(options.tests));
  }
  for (Workload& workload : chosen) {
    describe(workload, options);
    // It would be always the same one.
    if (options.keys && key_space_of(workload, options) == 0 && draws_numbers(workload)) {
      return Error{ErrorCode::kInvalidArgument, "--keys says which keys of how many: -r is missing"};
    }
  }
  draw_scores(chosen, options);
  return chosen;
}

}  // namespace larder::load
