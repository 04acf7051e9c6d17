// The HyperLogLog family. A sketch is a string value (storage/hyperloglog.h), so the string commands see it as it is.

#include <cmath>
#include <memory>
#include <span>
#include <string>

#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/config/settings.h"
#include "server/core/context.h"
#include "storage/hyperloglog.h"
#include "storage/string_value.h"

namespace larder {
namespace {

constexpr ErrorText kCorrupt{"INVALIDOBJ Corrupted HLL object detected"};

size_t sparse_bytes_max(CommandContext& ctx) {
  return static_cast<size_t>(ctx.services().settings.hll_sparse_bytes_max);
}

// The sketch of a value that was found, or the error of one that is none.
bool is_sketch(CommandContext& ctx, const Lookup<StringValue>& value) {
  if (value.wrong_type()) {
    ctx.reply().error(kWrongType);
    return false;
  }
  if (value.missing() || !value->exists() || HyperLogLog::is_valid(value->text().bytes())) return true;
  ctx.reply().error(kNotValidHyperLogLog);
  return false;
}

void store(StringValue& value, const HyperLogLog& sketch) {
  value.assign(sketch.bytes(), DeadlineRule::keep(), StringForm::kEdited);
}

void pfadd(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (!args.ok()) return (void)args.done(ctx.reply());
  auto value = ctx.keys().edit_or_create<StringValue>(key);
  if (!is_sketch(ctx, value)) return;
  uint64_t changes = value->exists() ? 0 : 1;
  std::span<const Bytes> elements = args.rest();
  if (value->exists()) {
    const StringText bytes = value->text();
    while (!elements.empty() && HyperLogLog::has(bytes, elements.front())) elements = elements.subspan(1);
    if (elements.empty()) return ctx.reply().integer(0);
  }
  HyperLogLog sketch = value->exists() ? HyperLogLog(value->text().bytes()) : HyperLogLog();
  for (const Bytes element : elements) {
    const auto result = sketch.add(element, sparse_bytes_max(ctx));
    if (result == HyperLogLog::Result::kCorrupt) return ctx.reply().error(kCorrupt);
    changes += result == HyperLogLog::Result::kChanged;
  }
  if (changes > 0) {
    sketch.forget_count();
    store(*value, sketch);
    ctx.changed(key.bytes, Event::kPfAdd, changes);
  }
  ctx.reply().integer(changes > 0);
}

// Each key's registers into the maxima. False: an error is written.
bool merge_keys(CommandContext& ctx, std::span<const Bytes> keys, HllRegisters* maxima, bool* any_dense) {
  for (const Bytes key : keys) {
    const auto value = ctx.keys().read<StringValue>(Key{key});
    if (!is_sketch(ctx, value)) return false;
    if (value.missing()) continue;
    const StringText bytes = value->text();
    *any_dense |= !HyperLogLog::is_sparse(bytes);
    if (!HyperLogLog::merge_into(bytes, maxima)) {
      ctx.reply().error(kCorrupt);
      return false;
    }
  }
  return true;
}

void count_union(CommandContext& ctx, std::span<const Bytes> keys) {
  const auto maxima = std::make_unique<HllRegisters>();
  bool any_dense = false;
  if (!merge_keys(ctx, keys, maxima.get(), &any_dense)) return;
  ctx.reply().integer(static_cast<int64_t>(hll_cardinality(*maxima)));
}

// The count of one sketch is kept in its bytes; that changes the value, and is told as a change.
void pfcount(CommandContext& ctx, ArgReader& args) {
  const auto keys = args.rest();
  if (keys.size() > 1) return count_union(ctx, keys);
  auto value = ctx.keys().read<StringValue>(Key{keys[0]});
  if (!is_sketch(ctx, value)) return;
  if (value.missing()) return ctx.reply().integer(0);
  const auto cached = HyperLogLog::cached_count(value->text().bytes());
  if (cached) return ctx.reply().integer(static_cast<int64_t>(*cached));
  HyperLogLog sketch(value->text().bytes());
  uint64_t cardinality = 0;
  if (!sketch.count(&cardinality)) return ctx.reply().error(kCorrupt);
  store(*value, sketch);
  ctx.changed(keys[0], Event::kQuiet);
  ctx.propagate_as(ctx.argv());  // no command that writes: not logged by itself
  ctx.reply().integer(static_cast<int64_t>(cardinality));
}

void pfmerge(CommandContext& ctx, ArgReader& args) {
  const auto keys = args.rest();
  const auto maxima = std::make_unique<HllRegisters>();
  bool any_dense = false;
  if (!merge_keys(ctx, keys, maxima.get(), &any_dense)) return;
  auto value = ctx.keys().edit_or_create<StringValue>(Key{keys[0]});
  HyperLogLog sketch = value->exists() ? HyperLogLog(value->text().bytes()) : HyperLogLog();
  if (any_dense && !sketch.make_dense()) return ctx.reply().error(kCorrupt);
  if (!sketch.raise_all(*maxima, sparse_bytes_max(ctx))) return ctx.reply().error(kCorrupt);
  sketch.forget_count();
  store(*value, sketch);
  ctx.changed(keys[0], Event::kPfAdd);
  ctx.reply().ok();
}

// ---- PFDEBUG

void reply_registers(CommandContext& ctx, Key key, StringValue& value, HyperLogLog& sketch) {
  const bool was_sparse = sketch.is_sparse();
  const auto registers = std::make_unique<HllRegisters>();
  if (!sketch.make_dense() || !HyperLogLog::merge_into(sketch.bytes(), registers.get()))
    return ctx.reply().error(kCorrupt);
  if (was_sparse) {
    store(value, sketch);
    ctx.changed(key.bytes, Event::kQuiet);
  }
  ctx.reply().array(kHllRegisters);
  for (const uint8_t each : *registers) ctx.reply().integer(each);
}

void pfdebug(CommandContext& ctx, ArgReader& args) {
  const auto [what, key] = args.take<Bytes, Key>();
  if (!args.done(ctx.reply())) return;
  auto value = ctx.keys().edit<StringValue>(key);
  if (value.missing()) return ctx.reply().error("ERR The specified key does not exist");
  if (!is_sketch(ctx, value)) return;
  HyperLogLog sketch(value->text().bytes());
  if (equals_ignore_case(what, "getreg")) return reply_registers(ctx, key, *value, sketch);
  if (equals_ignore_case(what, "encoding")) return ctx.reply().simple(sketch.is_sparse() ? "sparse" : "dense");
  if (equals_ignore_case(what, "decode")) {
    if (!sketch.is_sparse()) return ctx.reply().error("ERR HLL encoding is not sparse");
    std::string text;
    if (!sketch.describe_runs(&text)) return ctx.reply().error(kCorrupt);
    return ctx.reply().bulk(text);
  }
  if (equals_ignore_case(what, "todense")) {
    const bool was_sparse = sketch.is_sparse();
    if (!sketch.make_dense()) return ctx.reply().error(kCorrupt);
    if (was_sparse) {
      store(*value, sketch);
      ctx.changed(key.bytes, Event::kQuiet);
    }
    return ctx.reply().integer(was_sparse);
  }
  ctx.reply().error(std::string("ERR Unknown PFDEBUG subcommand '") + std::string(what) + "'");
}

// Counts known numbers of elements in a sketch of its own, sparse and dense, and judges the estimates.
void pfselftest(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  constexpr uint64_t kElements = 100'000;
  HyperLogLog sketch;
  uint64_t checkpoint = 1;
  for (uint64_t i = 1; i <= kElements; i++) {
    char text[kInt64TextBytesMax];
    const Bytes element(text, write_int64(text, static_cast<int64_t>(i)));
    if (sketch.add(element, sparse_bytes_max(ctx)) == HyperLogLog::Result::kChanged) sketch.forget_count();
    if (i != checkpoint && i != kElements) continue;
    checkpoint *= 10;
    uint64_t counted = 0;
    // Four times the standard error of 1.04 / sqrt(registers), and one for the small numbers.
    const double allowed = 4 * 0.008125 * static_cast<double>(i) + 1;
    if (!sketch.count(&counted) || std::abs(static_cast<double>(counted) - static_cast<double>(i)) > allowed) {
      return ctx.reply().error("TESTFAILED the count of " + std::to_string(i) + " elements was " +
                               std::to_string(counted));
    }
  }
  ctx.reply().ok();
}

constexpr CommandSpec kHyperLogLogRows[] = {
    {"pfadd", -2, kWrite | kDenyOom | kFast, Acl::kHyperLogLog, key_specs("RW+INSERT@i1:range(0,1,0)"), pfadd},
    {"pfcount", -2, kReadonly | kMayReplicate, Acl::kHyperLogLog, key_specs("RW+ACCESS@i1:range(-1,1,0)"), pfcount},
    {"pfdebug", 3, kWrite | kDenyOom | kAdmin, Acl::kHyperLogLog, key_specs("RW+ACCESS@i2:range(0,1,0)"), pfdebug},
    {"pfmerge", -2, kWrite | kDenyOom, Acl::kHyperLogLog,
     key_specs("RW+ACCESS+INSERT@i1:range(0,1,0);RO+ACCESS@i2:range(-1,1,0)"), pfmerge},
    {"pfselftest", 1, kAdmin, Acl::kHyperLogLog, {}, pfselftest},
};

}  // namespace

const CommandFamily kHyperLogLogFamily{"hyperloglog", kHyperLogLogRows, kHyperLogLogDocs};

}  // namespace larder
