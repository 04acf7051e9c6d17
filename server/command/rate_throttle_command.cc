// CL.THROTTLE: redis-cell's command, with its five integers.
//
// The key is a string: the arrival time in nanoseconds as an integer, which is what redis-cell keeps as well, so its keys
// are taken over as they are. The key expires when the bucket is empty. Repeated elsewhere is the effect, a SET.

#include <cstring>
#include <initializer_list>

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
  gcra.emission_ns = period_s * kNsPerSecond / count;
  if (gcra.emission_ns == 0) return {};
  if (__builtin_mul_overflow(gcra.emission_ns, max_burst + 1, &gcra.tolerance_ns)) return {};
  if (gcra.tolerance_ns > Gcra::kToleranceNsMax) return {};
  return gcra;
}

int64_t seconds_of_ns(int64_t ns) { return ns <= 0 ? 0 : (ns - 1) / kNsPerSecond + 1; }

// An array of few integers, with room taken once.
void write_integers(ReplyWriter& reply, std::initializer_list<int64_t> numbers) {
  constexpr size_t kLineBytesMax = 1 + kInt64TextBytesMax + 2;
  reply.array(numbers.size());
  char* out = reply.buffer().reserve(numbers.size() * kLineBytesMax);
  for (const int64_t number : numbers) {
    *out++ = ':';
    out += write_int64(out, number);
    std::memcpy(out, "\r\n", 2);
    out += 2;
  }
  reply.buffer().commit_to(out);
}

void propagate(CommandContext& ctx, Key key, int64_t arrival_ns, int64_t deadline_ms) {
  const StringText arrival(arrival_ns);
  const StringText deadline(deadline_ms);
  ctx.propagate_as({"SET", key.bytes, arrival, "PXAT", deadline});
}

}  // namespace

void cl_throttle(CommandContext& ctx, ArgReader& args) {
  const auto [key, max_burst, count, period_s] = args.take<Key, int64_t, int64_t, int64_t>();
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
  arrival_ns = gcra->settled(arrival_ns, now_ns);

  const bool is_possible = quantity <= max_burst + 1;
  const int64_t next_ns = is_possible ? arrival_ns + quantity * gcra->emission_ns : arrival_ns;
  const int64_t wait_ns = gcra->wait_ns(next_ns, now_ns);
  const bool is_limited = !is_possible || wait_ns > 0;
  if (!is_limited && quantity > 0) {
    arrival_ns = next_ns;
    const int64_t deadline_ms = (arrival_ns - 1) / kNsPerMs + 1;
    value->set_integer(arrival_ns, DeadlineRule::at(deadline_ms));
    ctx.changed(key.bytes, Event::kQuiet);
    if (ctx.propagates()) propagate(ctx, key, arrival_ns, deadline_ms);
  }
  write_integers(ctx.reply(),
                 {is_limited ? 1 : 0, max_burst + 1, gcra->remaining(arrival_ns, now_ns),
                  is_limited && is_possible ? seconds_of_ns(wait_ns) : -1, seconds_of_ns(arrival_ns - now_ns)});
}

}  // namespace larder::rate_limit_commands
