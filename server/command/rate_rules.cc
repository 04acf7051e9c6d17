#include "server/command/rate_rules.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace larder {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kProductMax = int64_t{1} << 62;

constexpr char kTags[kRateAlgorithms] = {'g', 'f', 's', 'b'};
constexpr Bytes kNames[kRateAlgorithms] = {"gcra", "fixed", "sliding", "bucket"};

// Requires: b > 0.
inline int64_t divide_up(int64_t a, int64_t b) { return a <= 0 ? 0 : divide_positive(a - 1, b) + 1; }

// Whether the product of two positive numbers is at most `max`.
bool fits(int64_t a, int64_t b, int64_t max) {
  int64_t product = 0;
  return !__builtin_mul_overflow(a, b, &product) && product <= max;
}

template <class T>
char* put(char* out, T value) {
  std::memcpy(out, &value, sizeof(value));
  return out + sizeof(value);
}

template <class T>
T get(Bytes& bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  bytes.remove_prefix(sizeof(value));
  return value;
}

}  // namespace

int64_t Gcra::settled(int64_t arrival_ns, int64_t now_ns) const {
  return std::clamp(arrival_ns, now_ns, now_ns + tolerance_ns);
}

Bytes rate_algorithm_name(RateAlgorithm algorithm) { return kNames[static_cast<size_t>(algorithm)]; }

bool RateRule::is_sound() const {
  if (capacity < 1 || amount < 1 || period_ms < 1) return false;
  if (capacity > kCountMax || amount > kCountMax || period_ms > kPeriodMsMax) return false;
  if (algorithm != RateAlgorithm::kGcra) return fits(capacity, period_ms, kProductMax);
  return fits(capacity, divide_up(period_ms * kNsPerMs, amount), Gcra::kToleranceNsMax);
}

Gcra RateRule::gcra() const {
  Gcra gcra;
  gcra.emission_ns = divide_up(period_ms * kNsPerMs, amount);
  gcra.tolerance_ns = gcra.emission_ns * capacity;
  return gcra;
}

// ---- State

std::optional<RateState> RateState::decode(RateAlgorithm algorithm, Bytes bytes) {
  RateState state;
  if (bytes.empty()) return state;
  const bool is_gcra = algorithm == RateAlgorithm::kGcra;
  if (bytes[0] != kTags[static_cast<size_t>(algorithm)] || bytes.size() != (is_gcra ? 9 : 17)) return {};
  bytes.remove_prefix(1);
  state.time_ = get<int64_t>(bytes);
  if (state.time_ < 0) return {};
  if (is_gcra) return state;
  if (algorithm == RateAlgorithm::kSlidingWindow) {
    state.used_ = get<uint32_t>(bytes);
    state.before_ = get<uint32_t>(bytes);
    return state;
  }
  state.used_ = get<int64_t>(bytes);
  const bool is_possible = state.used_ >= 0 && state.used_ <= kProductMax;
  return is_possible ? std::optional(state) : std::nullopt;
}

size_t RateState::encode(RateAlgorithm algorithm, char* out) const {
  char* at = put(out, kTags[static_cast<size_t>(algorithm)]);
  at = put(at, time_);
  if (algorithm == RateAlgorithm::kSlidingWindow) {
    at = put(put(at, static_cast<uint32_t>(used_)), static_cast<uint32_t>(before_));
  } else if (algorithm != RateAlgorithm::kGcra) {
    at = put(at, used_);
  }
  return static_cast<size_t>(at - out);
}

bool RateState::settle(const RateRule& rule, int64_t now_ms) {
  if (rule.algorithm == RateAlgorithm::kGcra) {
    const int64_t kept_ns = time_;
    time_ = rule.gcra().settled(time_, now_ms * kNsPerMs);
    return time_ < kept_ns;
  }
  const bool is_ahead = time_ > now_ms;
  if (rule.algorithm == RateAlgorithm::kTokenBucket) {
    // The rule may be another one than last time: what is missing is at most a whole bucket.
    used_ = std::min(used_, rule.capacity * rule.period_ms);
    const int64_t passed_ms = now_ms - time_;
    if (passed_ms >= divide_up(used_, rule.amount)) {
      used_ = 0;
    } else if (passed_ms > 0) {
      used_ -= passed_ms * rule.amount;
    }
    time_ = now_ms;
    return is_ahead;
  }
  // The same: all is used at most.
  used_ = std::min(used_, rule.capacity);
  before_ = std::min(before_, rule.capacity);
  const bool is_unused = used_ == 0 && before_ == 0;
  time_ = is_unused ? now_ms : std::min(time_, now_ms);
  const int64_t passed_ms = now_ms - time_;
  if (passed_ms < rule.period_ms) return is_ahead;
  const bool is_next = rule.algorithm == RateAlgorithm::kSlidingWindow && passed_ms - rule.period_ms < rule.period_ms;
  before_ = is_next ? used_ : 0;
  time_ = is_next && before_ > 0 ? time_ + rule.period_ms : now_ms;
  used_ = 0;
  return false;
}

RateVerdict RateState::describe(const RateRule& rule, int64_t now_ms) const {
  RateVerdict verdict;
  verdict.allowed = true;
  const int64_t left_ms = time_ + rule.period_ms - now_ms;  // of the present window
  switch (rule.algorithm) {
    case RateAlgorithm::kGcra:
      verdict.remaining = rule.gcra().remaining(time_, now_ms * kNsPerMs);
      verdict.reset_after_ms = divide_up(time_ - now_ms * kNsPerMs, kNsPerMs);
      break;
    case RateAlgorithm::kTokenBucket:
      verdict.remaining = rule.capacity - divide_up(used_, rule.period_ms);
      verdict.reset_after_ms = divide_up(used_, rule.amount);
      break;
    case RateAlgorithm::kFixedWindow:
      verdict.remaining = std::max<int64_t>(rule.capacity - used_, 0);
      verdict.reset_after_ms = used_ > 0 ? left_ms : 0;
      break;
    case RateAlgorithm::kSlidingWindow: {
      // The window before counts in part: as much of it as a window that ends now still covers.
      verdict.remaining = std::max<int64_t>(rule.capacity - used_ - divide_up(before_ * left_ms, rule.period_ms), 0);
      if (before_ > 0) verdict.reset_after_ms = left_ms;
      if (used_ > 0) verdict.reset_after_ms = left_ms + rule.period_ms;
      break;
    }
  }
  return verdict;
}

// How long until a request of that cost is allowed, at most 0 when it is now. Requires: cost <= capacity.
int64_t RateState::wait_ms(const RateRule& rule, int64_t now_ms, int64_t cost) const {
  switch (rule.algorithm) {
    case RateAlgorithm::kGcra: {
      const Gcra gcra = rule.gcra();
      return divide_up(gcra.wait_ns(time_ + cost * gcra.emission_ns, now_ms * kNsPerMs), kNsPerMs);
    }
    case RateAlgorithm::kTokenBucket:
      return divide_up(used_ - (rule.capacity - cost) * rule.period_ms, rule.amount);
    case RateAlgorithm::kFixedWindow:
      return used_ + cost <= rule.capacity ? 0 : time_ + rule.period_ms - now_ms;
    case RateAlgorithm::kSlidingWindow:
      return sliding_wait_ms(rule, now_ms, cost);
  }
  LARDER_UNREACHABLE();
}

int64_t RateState::sliding_wait_ms(const RateRule& rule, int64_t now_ms, int64_t cost) const {
  const int64_t left_ms = time_ + rule.period_ms - now_ms;
  // `count` of a window that has `left` milliseconds to cover counts as count * left / period: when is that at most `room`?
  const auto covered_ms = [&](int64_t count, int64_t room) {
    return count <= room ? rule.period_ms : divide_positive(room * rule.period_ms, count);
  };
  const int64_t room = rule.capacity - cost - used_;
  if (room >= 0) return std::max<int64_t>(left_ms - covered_ms(before_, room), 0);
  return left_ms + rule.period_ms - covered_ms(used_, rule.capacity - cost);
}

RateVerdict RateState::judge(const RateRule& rule, int64_t now_ms, int64_t cost) const {
  RateVerdict verdict = describe(rule, now_ms);
  verdict.retry_after_ms = cost > rule.capacity ? -1 : wait_ms(rule, now_ms, cost);
  verdict.allowed = verdict.retry_after_ms == 0;
  return verdict;
}

void RateState::take(const RateRule& rule, int64_t cost) {
  switch (rule.algorithm) {
    case RateAlgorithm::kGcra:
      time_ += cost * rule.gcra().emission_ns;
      break;
    case RateAlgorithm::kTokenBucket:
      used_ += cost * rule.period_ms;
      break;
    default:
      used_ += cost;
  }
}

void RateState::give_back(const RateRule& rule, int64_t cost, int64_t now_ms) {
  const int64_t bounded = std::min(cost, rule.capacity);  // more than that never counts at once
  switch (rule.algorithm) {
    case RateAlgorithm::kGcra:
      time_ = std::max(time_ - bounded * rule.gcra().emission_ns, now_ms * kNsPerMs);
      break;
    case RateAlgorithm::kTokenBucket:
      used_ = std::max<int64_t>(used_ - bounded * rule.period_ms, 0);
      break;
    default:
      used_ = std::max<int64_t>(used_ - cost, 0);
  }
}

}  // namespace larder
