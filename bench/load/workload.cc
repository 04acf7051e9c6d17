#include "bench/load/workload.h"

#include <algorithm>
#include <cstring>

namespace larder::load {
namespace {

constexpr Bytes kNumberMark = "__rand_int__";
constexpr Bytes kDataMark = "__data__";
constexpr size_t kNumberDigits = 12;
static_assert(kNumberMark.size() == kNumberDigits);

const std::vector<Workload>& default_suite() {
  static const std::vector<Workload> suite = {
      {"ping_inline", "PING_INLINE", {"PING"}, true},
      {"ping_mbulk", "PING_MBULK", {"PING"}},
      {"set", "SET", {"SET", "key:__rand_int__", "__data__"}},
      {"get", "GET", {"GET", "key:__rand_int__"}},
      {"incr", "INCR", {"INCR", "counter:__rand_int__"}},
      {"mset",
       "MSET (10 keys)",
       {"MSET",     "key:__rand_int__", "__data__", "key:__rand_int__", "__data__", "key:__rand_int__",
        "__data__", "key:__rand_int__", "__data__", "key:__rand_int__", "__data__", "key:__rand_int__",
        "__data__", "key:__rand_int__", "__data__", "key:__rand_int__", "__data__", "key:__rand_int__",
        "__data__", "key:__rand_int__", "__data__"}},
      {"mget",
       "MGET (10 keys)",
       {"MGET", "key:__rand_int__", "key:__rand_int__", "key:__rand_int__", "key:__rand_int__", "key:__rand_int__",
        "key:__rand_int__", "key:__rand_int__", "key:__rand_int__", "key:__rand_int__", "key:__rand_int__"}},
      {"expire", "SET with a time to live", {"SET", "key:__rand_int__", "__data__", "EX", "3600"}},
  };
  return suite;
}

// What -t can name besides: for servers with these types.
const std::vector<Workload>& more_workloads() {
  static const std::vector<Workload> more = {
      {"lpush", "LPUSH", {"LPUSH", "mylist", "__data__"}},
      {"rpush", "RPUSH", {"RPUSH", "mylist", "__data__"}},
      {"lpop", "LPOP", {"LPOP", "mylist"}},
      {"rpop", "RPOP", {"RPOP", "mylist"}},
      {"sadd", "SADD", {"SADD", "myset", "element:__rand_int__"}},
      {"spop", "SPOP", {"SPOP", "myset"}},
      {"hset", "HSET", {"HSET", "myhash", "element:__rand_int__", "__data__"}},
      {"zadd", "ZADD", {"ZADD", "myzset", "0", "element:__rand_int__"}},
      {"zpopmin", "ZPOPMIN", {"ZPOPMIN", "myzset"}},
  };
  return more;
}

// "ping" means both of its forms.
bool is_called(const Workload& workload, const std::string& name) {
  return equals_ignore_case(workload.name, name) ||
         (equals_ignore_case(name, "ping") && workload.name.compare(0, 5, "ping_") == 0);
}

std::string replace_all(std::string text, Bytes mark, const std::string& by) {
  for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + by.size())) {
    text.replace(at, mark.size(), by);
  }
  return text;
}

}  // namespace

RequestTemplate::RequestTemplate(const std::vector<std::string>& arguments, int64_t key_space, int64_t value_bytes)
    : key_space_(static_cast<uint64_t>(key_space)) {
  const std::string value(static_cast<size_t>(value_bytes), 'x');
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

RequestTemplate Workload::request(const LoadOptions& options) const {
  if (is_inline) return RequestTemplate::inline_request(arguments[0]);
  return {arguments, options.key_space, options.value_bytes};
}

void RequestTemplate::append_to(Buffer& out, Random& random) const {
  char* at = out.reserve(encoded_.size());
  std::memcpy(at, encoded_.data(), encoded_.size());
  if (key_space_ > 0) {
    for (const size_t offset : number_offsets_) {
      uint64_t number = random.uniform(key_space_);
      for (size_t digit = kNumberDigits; digit-- > 0 && number > 0; number /= 10) {
        at[offset + digit] = static_cast<char>('0' + number % 10);
      }
    }
  }
  out.commit(encoded_.size());
}

Result<std::vector<Workload>> choose_workloads(const LoadOptions& options) {
  if (!options.command.empty()) {
    std::string title;
    for (const std::string& argument : options.command) title += (title.empty() ? "" : " ") + argument;
    return std::vector<Workload>{{"command", title, options.command}};
  }
  if (options.tests.empty()) return default_suite();
  std::vector<Workload> chosen;
  for (const std::string& name : options.tests) {
    const size_t before = chosen.size();
    for (const std::vector<Workload>* table : {&default_suite(), &more_workloads()}) {
      for (const Workload& workload : *table) {
        if (is_called(workload, name)) chosen.push_back(workload);
      }
    }
    if (chosen.size() == before) return Error{ErrorCode::kInvalidArgument, "unknown test '" + name + "'"};
  }
  return chosen;
}

}  // namespace larder::load
