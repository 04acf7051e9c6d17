#include "protocol/arg_reader.h"

namespace larder {

int64_t ArgReader::take_int(int64_t min, int64_t max, ErrorText error, ErrorText not_integer) {
  const Bytes text = take<Bytes>();
  if (error_) return 0;
  const auto value = parse_int64(text);
  if (!value) {
    error_ = not_integer;
    return 0;
  }
  if (*value < min || *value > max) {
    error_ = error;
    return 0;
  }
  return *value;
}

bool ArgReader::take_word(Bytes upper) {
  if (error_ || next_ == end_ || !equals_ignore_case(*next_, upper)) return false;
  next_++;
  return true;
}

}  // namespace larder
