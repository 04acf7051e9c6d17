// CL.THROTTLE: redis-cell's command, with its five integers.
//
// The key is a string: the arrival time in nanoseconds as an integer, which is what redis-cell keeps as well, so its keys
// are taken over as they are. The key expires when the bucket is empty. Repeated elsewhere is the effect, a SET.

#include <cstring>

#include "base/number_text.h"
#include "server/command/rate_limit_handlers.h"
#include "server/command/rate_rules.h"
#include "storage/string_value.h"

namespace larder::rate_limit_commands {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kNsPerMs = 1'000'000;

constexpr ErrorText kBadBurst{"ERR max_burst must not be negative"};
constexpr ErrorText kBadRate{"ERR count and period must be positive"};
constexpr ErrorText kBadQuantity{"ERR quantity must not be negative"};
constexpr ErrorText kBadThrottle{"ERR the limit is out of range: less than a nanosecond or more than 73 years"};

// As redis-cell divides: downwards.
std::optional<Gcra> make_gcra(int64_t max_burst, int64_t count, int64_t period_s) {
  if (max_burst >= Gcra::kToleranceNsMax || period_s > Gcra::kToleranceNsMax / kNsPerSecond) return {};
  Gcra gcra;
  gcra.emission_ns = divide_positive(period_s * kNsPerSecond, count);
  if (gcra.emission_ns == 0) return {};
  if (__builtin_mul_overflow(gcra.emission_ns, max_burst + 1, &gcra.tolerance_ns)) return {};
  if (gcra.tolerance_ns > Gcra::kToleranceNsMax) return {};
  return gcra;
}

bool parse_into(Bytes text, int64_t* number) {
  const auto parsed = parse_int64(text);
  if (parsed) *number = *parsed;
  return parsed.has_value();
}

int64_t seconds_of_ns(int64_t ns) { return ns <= 0 ? 0 : (ns - 1) / kNsPerSecond + 1; }

struct ThrottleReply {
  bool is_limited = false;
  int64_t limit = 0;
  int64_t remaining = 0;
  int64_t retry_after_s = -1;
  int64_t reset_after_s = 0;
};

char* write_line(char* out, int64_t number) {
  *out++ = ':';
  out += write_int64(out, number);
  std::memcpy(out, "\r\n", 2);
  return out + 2;
}

// The five integers, with room taken once; what is the same in most replies is copied as it is.
void write_reply(ReplyWriter& reply, const ThrottleReply& throttle) {
  constexpr char kAllowed[] = "*5\r\n:0\r\n";
  constexpr char kLimited[] = "*5\r\n:1\r\n";
  constexpr size_t kHeadBytes = sizeof(kAllowed) - 1;
  constexpr size_t kLineBytesMax = 1 + kInt64TextBytesMax + 2;
  char* out = reply.buffer().reserve(kHeadBytes + 4 * kLineBytesMax);
  std::memcpy(out, throttle.is_limited ? kLimited : kAllowed, kHeadBytes);
  out = write_line(out + kHeadBytes, throttle.limit);
  out = write_line(out, throttle.remaining);
  if (throttle.retry_after_s == -1) {
    std::memcpy(out, ":-1\r\n", 5);
    out += 5;
  } else {
    out = write_line(out, throttle.retry_after_s);
  }
  reply.buffer().commit_to(write_line(out, throttle.reset_after_s));
}

void propagate(CommandContext& ctx, Key key, int64_t arrival_ns, int64_t deadline_ms) {
  const StringText arrival(arrival_ns);
  const StringText deadline(deadline_ms);
  ctx.propagate_as({"SET", key.bytes, arrival, "PXAT", deadline});
}

}  // namespace

void cl_throttle(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const auto rule = args.take_many(3);
  int64_t max_burst = 0;
  int64_t count = 0;
  int64_t period_s = 0;
  if (args.ok() &&
      !(parse_into(rule[0], &max_burst) && parse_into(rule[1], &count) && parse_into(rule[2], &period_s))) {
    args.fail(kNotInteger);
  }
  const int64_t quantity = args.at_end() ? 1 : args.take<int64_t>();
  if (!args.done(ctx.reply())) return;
  if (max_burst < 0) return ctx.reply().error(kBadBurst);
  if (count <= 0 || period_s <= 0) return ctx.reply().error(kBadRate);
  if (quantity < 0) return ctx.reply().error(kBadQuantity);
  const auto gcra = make_gcra(max_burst, count, period_s);
  if (!gcra) return ctx.reply().error(kBadThrottle);

  auto value = ctx.keys().edit_or_create<StringValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  int64_t arrival_ns = 0;
  if (!value->to_integer(&arrival_ns)) return ctx.reply().error(kNotInteger);
  const int64_t now_ns = ctx.now_ms() * kNsPerMs;
  const int64_t kept_ns = arrival_ns;
  arrival_ns = gcra->settled(arrival_ns, now_ns);

  const bool is_possible = quantity <= max_burst + 1;
  const int64_t next_ns = is_possible ? arrival_ns + quantity * gcra->emission_ns : arrival_ns;
  const int64_t wait_ns = gcra->wait_ns(next_ns, now_ns);
  const bool is_limited = !is_possible || wait_ns > 0;
  if (!is_limited) arrival_ns = next_ns;
  // A limited call changes nothing, unless the state lies in the future and was brought back: see RateState::settle().
  if (is_limited ? arrival_ns < kept_ns : quantity > 0) {
    const int64_t deadline_ms = (arrival_ns - 1) / kNsPerMs + 1;
    value->set_integer(arrival_ns, DeadlineRule::at(deadline_ms));
    ctx.changed(key.bytes, Event::kQuiet);
    if (ctx.propagates()) propagate(ctx, key, arrival_ns, deadline_ms);
  }
  write_reply(ctx.reply(),
              {is_limited, max_burst + 1, gcra->remaining(arrival_ns, now_ns),
               is_limited && is_possible ? seconds_of_ns(wait_ns) : -1, seconds_of_ns(arrival_ns - now_ns)});
}

}  // namespace larder::rate_limit_commands
