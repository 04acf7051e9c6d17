#pragma once

// A command as a template: encoded once, with the places of random numbers remembered, so that making the next request
// is a copy and a few digits.

#include <cstdint>
#include <string>
#include <vector>

#include "base/buffer.h"
#include "base/random.h"
#include "base/result.h"
#include "bench/load/load_options.h"

namespace larder::load {

class RequestTemplate {
 public:
  // Arguments may hold __rand_int__ and __data__. `key_space` 0: __rand_int__ is left as twelve zeros.
  RequestTemplate(const std::vector<std::string>& arguments, int64_t key_space, int64_t value_bytes);

  // A request in the inline syntax: the words with spaces between them.
  static RequestTemplate inline_request(const std::string& line);

  // Appends one request with fresh random numbers.
  void append_to(Buffer& out, Random& random) const;
  size_t size_bytes() const { return encoded_.size(); }

 private:
  RequestTemplate() : key_space_(0) {}

  std::string encoded_;
  std::vector<size_t> number_offsets_;
  uint64_t key_space_;
};

struct Workload {
  std::string name;   // as -t names it
  std::string title;  // as the report shows it
  std::vector<std::string> arguments;
  bool is_inline = false;  // sent in the inline syntax

  RequestTemplate request(const LoadOptions& options) const;
};

// The tests that the options ask for. kInvalidArgument for a name that is not known.
Result<std::vector<Workload>> choose_workloads(const LoadOptions& options);

}  // namespace larder::load
