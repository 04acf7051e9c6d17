#pragma once

// What is sent: commands as templates, encoded once with the places of random numbers remembered, so that making the next
// request is a copy and a few digits; and mixes of them.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/random.h"
#include "base/result.h"
#include "bench/load/key_source.h"
#include "bench/load/load_options.h"

namespace larder::load {

class RequestTemplate {
 public:
  // Arguments may hold __rand_int__ and __data__ (`value_bytes` bytes).
  RequestTemplate(const std::vector<std::string>& arguments, int64_t value_bytes);

  // A request in the inline syntax: the words with spaces between them.
  static RequestTemplate inline_request(const std::string& line);

  // Appends one request with fresh numbers.
  void append_to(Buffer& out, KeySource& keys, Random& random) const;
  size_t size_bytes() const { return encoded_.size(); }

 private:
  RequestTemplate() = default;

  std::string encoded_;
  std::vector<size_t> number_offsets_;
};

struct WorkloadCommand {
  std::vector<std::string> arguments;
  uint32_t weight = 1;
};

struct Workload {
  std::string name;   // as -t names it
  std::string title;  // as the report shows it
  std::vector<WorkloadCommand> commands;
  bool is_inline = false;  // sent in the inline syntax
  // For the workloads of an application: used where the options do not say otherwise.
  int64_t key_space = 0;
  KeyShape keys{};
  ValueSizes sizes{};
  int64_t subscribers = 0;  // connections that receive what is published
};

// The requests of one workload, drawn by weight and size.
class RequestSource {
 public:
  // `stream`, one of `stream_count`, takes its own part of a sequence.
  RequestSource(const Workload& workload, const LoadOptions& options, uint64_t stream, uint64_t stream_count);

  void append_to(Buffer& out);

 private:
  // Values of a range of sizes are drawn from so many.
  static constexpr int64_t kSizesMax = 16;

  Random random_;
  KeySource keys_;
  std::vector<RequestTemplate> templates_;  // command by command, size by size
  std::vector<uint32_t> weight_sums_;       // of the commands
  size_t sizes_ = 1;
};

// The keys that a workload uses under these options.
int64_t key_space_of(const Workload& workload, const LoadOptions& options);

// The connections that receive what it publishes, under these options.
int64_t subscribers_of(const Workload& workload, const LoadOptions& options);

// The tests that the options ask for, in redis-benchmark's order and each once. kInvalidArgument for a name that is not known,
// and for a distribution of keys where there is one key; kUnsupported for a command that is no request.
Result<std::vector<Workload>> choose_workloads(const LoadOptions& options);

}  // namespace larder::load
