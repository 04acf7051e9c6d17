#include "server/command/hash_field_arguments.h"

#include <vector>

#include "base/number_text.h"
#include "server/command/hash_handlers.h"
#include "server/command/removal.h"

namespace larder {
namespace {

// The latest moment that Redis allows for a field: 46 bits of milliseconds.
constexpr int64_t kFieldDeadlineMsMax = (int64_t{1} << 46) - 1;
constexpr ErrorText kExpireNegative{"ERR invalid expire time, must be >= 0"};

}  // namespace

std::span<const Bytes> take_fields(ArgReader& args, ErrorText not_positive) {
  if (!args.take_word("FIELDS")) args.fail(kFieldsMissing);
  const int64_t count = args.take_int(1, INT64_MAX, not_positive, not_positive);
  if (args.ok() && static_cast<uint64_t>(count) != args.remaining()) args.fail(kFieldCountMismatch);
  return args.rest();
}

std::optional<int64_t> read_field_deadline(CommandContext& ctx, Bytes amount, ExpiryForm form) {
  const auto number = parse_int64(amount);
  if (!number) {
    ctx.reply().error(kNotInteger);
    return {};
  }
  if (*number < 0) {
    ctx.reply().error(kExpireNegative);
    return {};
  }
  const auto deadline_ms = deadline_from(*number, form, ctx.now_ms());
  if (deadline_ms && *deadline_ms <= kFieldDeadlineMsMax) return deadline_ms;
  ctx.reply().error(invalid_expire_error(ctx.command().full_name));
  return {};
}

void tell_field_deadlines(CommandContext& ctx, Key key, const HashValue& hash, const FieldDeadlineChange& change) {
  ctx.propagate_nothing();  // but what follows
  if (!change.changed.empty()) {
    if (ctx.propagates()) {
      char moment[kInt64TextBytesMax];
      char count[kInt64TextBytesMax];
      std::vector<Bytes> argv = {"HPEXPIREAT",
                                 key.bytes,
                                 {moment, write_int64(moment, change.deadline_ms)},
                                 "FIELDS",
                                 {count, write_uint64(count, change.changed.size())}};
      argv.insert(argv.end(), change.changed.begin(), change.changed.end());
      ctx.propagate_as(argv);
    }
    ctx.changed(key.bytes, Event::kHExpire, change.changed.size());
  }
  if (!change.deleted.empty()) {
    std::vector<Bytes> argv = {"HDEL", key.bytes};
    argv.insert(argv.end(), change.deleted.begin(), change.deleted.end());
    ctx.propagate_as(argv);
    tell_removal(ctx, key, hash, Event::kHDel, change.deleted.size());
  }
}

}  // namespace larder
