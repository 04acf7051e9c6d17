#include "server/command/random_sample.h"

namespace larder {
namespace {

constexpr ErrorText kNotLong{
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"};

}  // namespace

int64_t take_sample_count(ArgReader& args) {
  const int64_t count = args.take_int(-INT64_MAX, INT64_MAX, kNotLong);
  if (count < -kRepeatedDrawsMax) args.fail(kOutOfRange);
  return count;
}

}  // namespace larder
