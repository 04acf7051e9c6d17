// The bitmap family: its rows, and the commands on single bits and on ranges. A bitmap is a string value
// (storage/bit_array.h), so the string commands see it as it is.

#include <algorithm>

#include "server/command/bitmap_handlers.h"
#include "server/command/families.h"
#include "server/core/command_spec.h"
#include "server/core/loading.h"
#include "storage/bit_array.h"
#include "storage/string_value.h"

namespace larder {
namespace {

namespace bc = bitmap_commands;

constexpr CommandSpec kBitmapRows[] = {
    {"bitcount", -2, kReadonly, Acl::kBitmap, key_specs("RO+ACCESS@i1:range(0,1,0)"), bc::bitcount},
    {"bitfield", -2, kWrite | kDenyOom, Acl::kBitmap, key_specs("RW+UPDATE+ACCESS+VARIABLE_FLAGS@i1:range(0,1,0)"),
     bc::bitfield},
    {"bitfield_ro", -2, kReadonly | kFast, Acl::kBitmap, key_specs("RO+ACCESS@i1:range(0,1,0)"), bc::bitfield_ro},
    {"bitop", -4, kWrite | kDenyOom, Acl::kBitmap, key_specs("OW+UPDATE@i2:range(0,1,0);RO+ACCESS@i3:range(-1,1,0)"),
     bc::bitop},
    {"bitpos", -3, kReadonly, Acl::kBitmap, key_specs("RO+ACCESS@i1:range(0,1,0)"), bc::bitpos},
    {"getbit", 3, kReadonly | kFast, Acl::kBitmap, key_specs("RO+ACCESS@i1:range(0,1,0)"), bc::getbit},
    {"setbit", 4, kWrite | kDenyOom, Acl::kBitmap, key_specs("RW+ACCESS+UPDATE@i1:range(0,1,0)"), bc::setbit},
};

// A range of BITCOUNT or BITPOS as the client gave it: both ends included, negative from the end, in bytes or bits.
struct RangeRequest {
  bool given = false;
  bool end_given = false;
  int64_t start = 0;
  int64_t end = 0;
  bool in_bits = false;
};

// BYTE or BIT, if there is one.
void take_unit(ArgReader& args, RangeRequest* range) {
  if (!args.ok() || args.at_end()) return;
  range->in_bits = args.take_word("BIT");
  if (!range->in_bits && !args.take_word("BYTE")) args.fail(kSyntax);
}

// The bits [first, end) that a range means in `size` bytes. False: none at all.
bool resolve_bits(const RangeRequest& range, size_t size, uint64_t* first, uint64_t* end) {
  const auto length = static_cast<int64_t>(range.in_bits ? 8 * size : size);
  int64_t from = range.start;
  int64_t to = range.end_given ? range.end : length - 1;
  if (from < 0) from = std::max<int64_t>(from + length, 0);
  if (to < 0) to = std::max<int64_t>(to + length, 0);
  to = std::min(to, length - 1);
  if (from > to) return false;
  const uint64_t unit = range.in_bits ? 1 : 8;
  *first = static_cast<uint64_t>(from) * unit;
  *end = (static_cast<uint64_t>(to) + 1) * unit;
  return true;
}

}  // namespace

extern const CommandFamily kBitmapFamily{"bitmap", kBitmapRows, kBitmapDocs};

uint64_t parse_bit_offset(CommandContext& ctx, ArgReader& args, Bytes text, int64_t unit) {
  const auto number = parse_int64(text);
  int64_t offset = 0;
  const bool valid = number && !__builtin_mul_overflow(*number, unit, &offset) && offset >= 0 &&
                     static_cast<size_t>(offset) / 8 < string_bytes_max(ctx.services());
  if (!valid) args.fail(kBitOffset);
  return static_cast<uint64_t>(offset);
}

namespace bitmap_commands {

void setbit(CommandContext& ctx, ArgReader& args) {
  const auto [key, offset_text] = args.take<Key, Bytes>();
  const uint64_t offset = parse_bit_offset(ctx, args, offset_text);
  const bool wanted = args.take_int(0, 1, kBitValue, kBitValue) != 0;
  if (!args.done(ctx.reply())) return;
  auto value = ctx.keys().edit_or_create<StringValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  const size_t size_min = static_cast<size_t>(offset / 8) + 1;
  const bool grows = value->size() < size_min;
  char* bytes = value->mutable_bytes(size_min);
  const bool old = read_bit({bytes, size_min}, offset);
  if (grows || old != wanted) {
    write_bit(bytes, offset, wanted);
    ctx.changed(key.bytes, Event::kSetBit);
  }
  ctx.reply().integer(old);
}

void getbit(CommandContext& ctx, ArgReader& args) {
  const auto [key, offset_text] = args.take<Key, Bytes>();
  const uint64_t offset = parse_bit_offset(ctx, args, offset_text);
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<StringValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  ctx.reply().integer(value && read_bit(value->text(), offset));
}

void bitcount(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  RangeRequest range;
  range.given = !args.at_end();
  if (range.given) {
    if (args.remaining() == 1 || args.remaining() > 3) args.fail(kSyntax);
    range.start = args.take<int64_t>();
    range.end = args.take<int64_t>();
    range.end_given = true;
    take_unit(args, &range);
  }
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<StringValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  if (value.missing()) return ctx.reply().integer(0);
  const StringText text = value->text();
  if (!range.given) return ctx.reply().integer(static_cast<int64_t>(count_bits(text)));
  uint64_t first = 0;
  uint64_t end = 0;
  // An end before the start stays empty, even where both come to lie before the first byte.
  const bool reversed = range.start < 0 && range.end < 0 && range.start > range.end;
  if (reversed || !resolve_bits(range, text.size(), &first, &end)) return ctx.reply().integer(0);
  ctx.reply().integer(static_cast<int64_t>(count_bits(text, first, end)));
}

void bitpos(CommandContext& ctx, ArgReader& args) {
  const auto [key, wanted_number] = args.take<Key, int64_t>();
  if (args.ok() && wanted_number != 0 && wanted_number != 1) args.fail(kBitArgument);
  const bool wanted = wanted_number != 0;
  RangeRequest range;
  if (args.ok() && !args.at_end()) {
    range.start = args.take<int64_t>();
    range.end_given = !args.at_end();
    const Bytes end_text = range.end_given ? args.take<Bytes>() : Bytes();
    take_unit(args, &range);  // judged before the end
    if (args.ok() && range.end_given) args.fail(ArgType<int64_t>::parse(end_text, &range.end));
  }
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<StringValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  // A missing key is an endless row of zeros.
  if (value.missing()) return ctx.reply().integer(wanted ? -1 : 0);
  const StringText text = value->text();
  uint64_t first = 0;
  uint64_t end = 0;
  if (!resolve_bits(range, text.size(), &first, &end)) return ctx.reply().integer(-1);
  const uint64_t found = find_bit(text, wanted, first, end);
  // Behind the string there are zeros too, unless the client said where to stop.
  if (found == end && (wanted || range.end_given)) return ctx.reply().integer(-1);
  ctx.reply().integer(static_cast<int64_t>(found));
}

}  // namespace bitmap_commands
}  // namespace larder
