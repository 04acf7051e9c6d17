#include "server/core/server_stats.h"

#include <algorithm>
#include <numeric>

namespace larder {

void RateMeter::sample(uint64_t total, int64_t now_ms) {
  if (last_ms_ != 0 && now_ms > last_ms_) {
    const uint64_t grown = total >= last_total_ ? total - last_total_ : 0;
    rates_[next_] = grown * 1000 / static_cast<uint64_t>(now_ms - last_ms_);
    next_ = (next_ + 1) % kSamples;
  }
  last_total_ = total;
  last_ms_ = now_ms;
}

uint64_t RateMeter::per_second() const { return std::accumulate(rates_.begin(), rates_.end(), uint64_t{0}) / kSamples; }

void ServerStats::count_error(Bytes reply_line) {
  // A code ends in the first bytes of the line; redis-server looks at as many.
  constexpr size_t kCodeLookBytes = 32;
  ++error_replies;
  Bytes line = reply_line.substr(0, kCodeLookBytes);
  line = line.substr(0, line.find('\r'));
  const size_t end = line.find(' ', 1);
  const Bytes word = end != Bytes::npos ? line.substr(1, end - 1) : Bytes("ERR");
  const auto known = errors.find(word);
  if (known != errors.end()) {
    ++known->second;
  } else if (errors.size() < kErrorKindsMax) {
    errors.emplace(std::string(word), 1);
  }
}

void ServerStats::reset() {
  const uint64_t dirty_before = dirty;
  const uint64_t peak_before = memory_peak_bytes;
  *this = ServerStats{};
  dirty = dirty_before;
  memory_peak_bytes = peak_before;
}

}  // namespace larder
