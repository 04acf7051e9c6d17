// Values together with times to live: HGETEX, HSETEX, HGETDEL.

#include <algorithm>
#include <vector>

#include "base/number_text.h"
#include "server/command/hash_field_arguments.h"
#include "server/command/hash_handlers.h"
#include "server/command/removal.h"

namespace larder {
namespace {

constexpr ErrorText kOneCondition{"ERR Only one of FXX or FNX arguments can be specified"};
constexpr ErrorText kOneExpiry{"ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"};
constexpr ErrorText kExpiryMissing{"ERR missing expire time"};
constexpr ErrorText kInvalidFieldCount{"ERR invalid number of fields"};

struct ExpiryWord {
  Bytes word;
  ExpiryForm form;
};
constexpr ExpiryWord kExpiryWords[] = {
    {"EX", kSecondsFromNow}, {"PX", kMillisecondsFromNow}, {"EXAT", kUnixSeconds}, {"PXAT", kUnixMilliseconds}};

const ExpiryWord* take_expiry_word(ArgReader& args) {
  for (const ExpiryWord& word : kExpiryWords) {
    if (args.take_word(word.word)) return &word;
  }
  return nullptr;
}

// ---- HSETEX

struct SetExOptions {
  bool if_none = false;  // FNX: none of the fields exists
  bool if_all = false;   // FXX: all of them do
  bool keeps = false;    // KEEPTTL
  std::optional<int64_t> deadline_ms;
  std::span<const Bytes> pairs;

  DeadlineRule rule() const {
    if (keeps) return DeadlineRule::keep();
    return deadline_ms ? DeadlineRule::at(*deadline_ms) : DeadlineRule::none();
  }
};

// One word before FIELDS. False: an error is written.
bool read_setex_word(CommandContext& ctx, ArgReader& args, SetExOptions& options) {
  const bool is_fnx = args.take_word("FNX");
  if (is_fnx || args.take_word("FXX")) {
    if (options.if_none || options.if_all) return ctx.reply().error(kOneCondition), false;
    (is_fnx ? options.if_none : options.if_all) = true;
    return true;
  }
  const bool had_expiry = options.keeps || options.deadline_ms;
  if (args.take_word("KEEPTTL")) {
    if (had_expiry) return ctx.reply().error(kOneExpiry), false;
    options.keeps = true;
    return true;
  }
  const ExpiryWord* word = take_expiry_word(args);
  if (word == nullptr) {
    ctx.reply().error("ERR unknown argument: " + std::string(args.peek()));
    return false;
  }
  if (had_expiry) return ctx.reply().error(kOneExpiry), false;
  if (args.at_end()) return ctx.reply().error(kExpiryMissing), false;
  options.deadline_ms = read_field_deadline(ctx, args.take<Bytes>(), word->form);
  return options.deadline_ms.has_value();
}

bool read_setex_options(CommandContext& ctx, ArgReader& args, SetExOptions& options) {
  while (!args.take_word("FIELDS")) {
    if (args.at_end()) return ctx.reply().error(kFieldsMissing), false;
    if (!read_setex_word(ctx, args, options)) return false;
  }
  if (args.remaining() < 3) return ctx.reply().error(wrong_arity_error(ctx.command().full_name)), false;
  const int64_t count = args.take_int(1, INT32_MAX, kInvalidFieldCount, kInvalidFieldCount);
  options.pairs = args.rest();
  if (!args.done(ctx.reply())) return false;
  if (options.pairs.size() == 2 * static_cast<uint64_t>(count)) return true;
  return ctx.reply().error(wrong_arity_error(ctx.command().full_name)), false;
}

bool setex_condition_holds(const HashValue& hash, const SetExOptions& options) {
  if (!options.if_none && !options.if_all) return true;
  for (size_t i = 0; i < options.pairs.size(); i += 2) {
    if (hash.contains(options.pairs[i]) != options.if_all) return false;
  }
  return true;
}

// What is repeated elsewhere: the same without the condition, and with the moment instead of the time to live.
void propagate_setex(CommandContext& ctx, Key key, const SetExOptions& options) {
  if (!ctx.propagates()) return;
  char moment[kInt64TextBytesMax];
  char count[kInt64TextBytesMax];
  std::vector<Bytes> argv = {"HSETEX", key.bytes};
  if (options.keeps) argv.push_back("KEEPTTL");
  if (options.deadline_ms) {
    argv.push_back("PXAT");
    argv.emplace_back(moment, write_int64(moment, *options.deadline_ms));
  }
  argv.push_back("FIELDS");
  argv.emplace_back(count, write_uint64(count, options.pairs.size() / 2));
  argv.insert(argv.end(), options.pairs.begin(), options.pairs.end());
  ctx.propagate_as(argv);
}

// The deadline has passed already: the fields are gone, as if they had been set and had expired at once.
void remove_fields(CommandContext& ctx, Key key, HashValue& hash, const SetExOptions& options) {
  std::vector<Bytes> removed;
  for (size_t i = 0; i < options.pairs.size() && hash.exists(); i += 2) {
    if (hash.remove(options.pairs[i])) removed.push_back(options.pairs[i]);
  }
  tell_field_deadlines(ctx, key, hash, {.deadline_ms = 0, .changed = {}, .deleted = removed});
}

}  // namespace

namespace hash_commands {

void hsetex(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  SetExOptions options;
  if (!read_setex_options(ctx, args, options)) return;
  auto hash = ctx.keys().edit_or_create<HashValue>(key);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  if (!setex_condition_holds(*hash, options)) return ctx.reply().integer(0);
  ctx.reply().integer(1);
  if (options.deadline_ms && ctx.keys().is_past(*options.deadline_ms)) return remove_fields(ctx, key, *hash, options);
  hash->set_all(options.pairs, limits(ctx), options.rule());
  propagate_setex(ctx, key, options);
  ctx.changed(key.bytes, Event::kHSet, options.pairs.size() / 2);
  if (options.deadline_ms) ctx.changed(key.bytes, Event::kHExpire, 0);
}

void hgetdel(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const auto fields = take_fields(args, kNumberOfFieldsNotPositive);
  if (!args.done(ctx.reply())) return;
  auto hash = ctx.keys().edit_or_create<HashValue>(key);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  size_t removed = 0;
  ctx.reply().array(fields.size());
  for (const Bytes field : fields) {
    reply_field(ctx.reply(), *hash, field);
    removed += hash->remove(field);
  }
  if (removed > 0) tell_removal(ctx, key, *hash, Event::kHDel, removed);
}

void hgetex(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  auto hash = ctx.keys().edit_or_create<HashValue>(key);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  const bool persists = args.take_word("PERSIST");
  std::optional<int64_t> deadline_ms;
  if (const ExpiryWord* word = persists ? nullptr : take_expiry_word(args)) {
    deadline_ms = read_field_deadline(ctx, args.take<Bytes>(), word->form);
    if (!deadline_ms) return;
  }
  const auto fields = take_fields(args, kNumberOfFieldsNotPositive);
  if (!args.done(ctx.reply())) return;

  std::vector<Bytes> changed;
  std::vector<Bytes> deleted;
  ctx.reply().array(fields.size());
  for (const Bytes field : fields) {
    reply_field(ctx.reply(), *hash, field);
    const auto old_deadline_ms = hash->field_deadline_ms(field);
    if (!old_deadline_ms) continue;
    if (deadline_ms && ctx.keys().is_past(*deadline_ms)) {
      hash->remove(field);
      deleted.push_back(field);
    } else if (deadline_ms || (persists && *old_deadline_ms != kNoDeadline)) {
      hash->set_field_deadline(field, deadline_ms.value_or(kNoDeadline));
      changed.push_back(field);
    }
  }
  if (deadline_ms) {
    return tell_field_deadlines(ctx, key, *hash, {.deadline_ms = *deadline_ms, .changed = changed, .deleted = deleted});
  }
  if (!changed.empty()) ctx.changed(key.bytes, Event::kHPersist);
}

}  // namespace hash_commands
}  // namespace larder
