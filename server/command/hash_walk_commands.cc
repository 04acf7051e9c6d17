// Many fields of a hash at once: all of them, a step of a walk, random ones.

#include <vector>

#include "server/command/hash_handlers.h"
#include "server/command/member_scan.h"
#include "server/command/random_sample.h"
#include "server/core/collection_reply.h"

namespace larder {
namespace {

// The hash for a command that takes nothing but its key; missing also when an error was written, as `replied` tells.
struct ReadHash {
  Lookup<HashValue> hash;
  bool replied;
};

ReadHash read_hash(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  if (!args.done(ctx.reply())) return {LookupError::kMissing, true};
  auto hash = ctx.keys().read<HashValue>(key);
  if (hash.wrong_type()) ctx.reply().error(kWrongType);
  return {hash, hash.wrong_type()};
}

// ---- HSCAN

void reply_scanned(ReplyWriter& reply, const HashFieldView& field, const MemberScanOptions& options) {
  reply.bulk(field.name);
  if (!options.no_values) reply.bulk(field.value);
}

// ---- HRANDFIELD

// A field in the reply to a count: in RESP3 a field with its value is an array of its own.
void reply_drawn(ReplyWriter& reply, const HashFieldView& field, bool with_values) {
  if (with_values && reply.resp3()) reply.array(2);
  reply.bulk(field.name);
  if (with_values) reply.bulk(field.value);
}

void begin_drawn(ReplyWriter& reply, size_t count, bool with_values) {
  reply.array(with_values && !reply.resp3() ? 2 * count : count);
}

void reply_distinct(CommandContext& ctx, const HashValue& hash, size_t count, bool with_values) {
  ReplyWriter& reply = ctx.reply();
  Random& random = ctx.services().random;
  const size_t size = hash.size();
  count = std::min(count, size);
  begin_drawn(reply, count, with_values);
  const HashStructure* table = hash.table();
  if (table != nullptr && count < size && size == table->size()) {
    return sample_table(*table, count, random,
                        [&](const HashField& field) { reply_drawn(reply, field.view(), with_values); });
  }
  IndexSample sample(size, count, random);
  hash.for_each([&](const HashFieldView& field) {
    if (sample.takes_next()) reply_drawn(reply, field, with_values);
  });
}

void reply_repeated(CommandContext& ctx, const HashValue& hash, size_t count, bool with_values) {
  begin_drawn(ctx.reply(), count, with_values);
  for (size_t i = 0; i < count; i++) {
    hash.visit_random(ctx.services().random,
                      [&](const HashFieldView& field) { reply_drawn(ctx.reply(), field, with_values); });
  }
}

// The elements of a reply of the whole hash, behind its header.
void reply_fields(CommandContext& ctx, const HashValue& hash, HashParts parts) {
  ReplyWriter& reply = ctx.reply();
  if (CollectionReply::serves(reply, hash.table()) && !hash.has_due()) {
    return reply.source(fields_reply(ctx.services().store, *hash.table(), parts));
  }
  hash.for_each([&](const HashFieldView& field) {
    if (parts != HashParts::kValues) reply.bulk(field.name);
    if (parts != HashParts::kNames) reply.bulk(field.value);
  });
}

}  // namespace

namespace hash_commands {

void hgetall(CommandContext& ctx, ArgReader& args) {
  const auto [hash, replied] = read_hash(ctx, args);
  if (replied) return;
  ctx.reply().map(hash ? hash->size() : 0);
  if (hash) reply_fields(ctx, *hash, HashParts::kBoth);
}

void hkeys(CommandContext& ctx, ArgReader& args) {
  const auto [hash, replied] = read_hash(ctx, args);
  if (replied) return;
  ctx.reply().array(hash ? hash->size() : 0);
  if (hash) reply_fields(ctx, *hash, HashParts::kNames);
}

void hvals(CommandContext& ctx, ArgReader& args) {
  const auto [hash, replied] = read_hash(ctx, args);
  if (replied) return;
  ctx.reply().array(hash ? hash->size() : 0);
  if (hash) reply_fields(ctx, *hash, HashParts::kValues);
}

void hscan(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const uint64_t cursor = take_scan_cursor(args);
  if (!args.ok()) return ctx.reply().error(args.error());
  const auto hash = ctx.keys().read<HashValue>(key);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  if (hash.missing()) return reply_empty_scan(ctx.reply());
  const MemberScanOptions options = take_scan_options(args, true);
  if (!args.done(ctx.reply())) return;

  ReplyWriter& reply = ctx.reply();
  const size_t elements = options.no_values ? 1 : 2;
  if (hash->table() == nullptr) {
    size_t count = 0;
    reply_scan_cursor(reply, 0);
    const auto mark = reply.begin_deferred(hash->size() * elements);
    hash->for_each([&](const HashFieldView& field) {
      if (!options.passes(field.name)) return;
      reply_scanned(reply, field, options);
      count += elements;
    });
    return reply.end_deferred_array(mark, count);
  }
  std::vector<HashFieldView> found;  // fields where they lie
  const uint64_t next_cursor = scan_steps(cursor, options.count, [&](uint64_t from, int64_t* visited) {
    return hash->scan(from, [&](const HashFieldView& field) {
      ++*visited;
      if (options.passes(field.name)) found.push_back(field);
    });
  });
  reply_scan_cursor(reply, next_cursor);
  reply.array(found.size() * elements);
  for (const HashFieldView& field : found) reply_scanned(reply, field, options);
}

void hrandfield(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  const bool has_count = !args.at_end();
  const int64_t count = has_count ? take_sample_count(args) : 1;
  const bool with_values = args.take_word("WITHVALUES");
  if (!args.at_end()) args.fail(kSyntax);
  // A reply has two elements a field then.
  if (with_values && (count < -INT64_MAX / 2 || count > INT64_MAX / 2)) args.fail(kOutOfRange);
  if (!args.done(ctx.reply())) return;
  const auto hash = ctx.keys().read<HashValue>(key);
  if (hash.wrong_type()) return ctx.reply().error(kWrongType);
  const bool empty = hash.missing() || !hash->has_live();
  if (!has_count) {
    if (empty) return ctx.reply().null();
    return hash->visit_random(ctx.services().random, [&](const HashFieldView& field) { ctx.reply().bulk(field.name); });
  }
  if (empty || count == 0) return ctx.reply().empty_array();
  if (count < 0) return reply_repeated(ctx, *hash, static_cast<size_t>(-count), with_values);
  reply_distinct(ctx, *hash, static_cast<size_t>(count), with_values);
}

}  // namespace hash_commands
}  // namespace larder
