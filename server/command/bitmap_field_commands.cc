// BITFIELD and BITFIELD_RO: a string as an array of integers of any width.
//
// All operations are read before the first one is done, so that a mistake in the last one leaves the string as it was. The
// string is made long enough for all of them at once.

#include <algorithm>
#include <optional>
#include <vector>

#include "server/command/bitmap_handlers.h"
#include "storage/bit_array.h"
#include "storage/string_value.h"

namespace larder {
namespace {

constexpr ErrorText kFieldType{
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is."};
constexpr ErrorText kOverflowType{"ERR Invalid OVERFLOW type specified"};
constexpr ErrorText kGetOnly{"ERR BITFIELD_RO only supports the GET subcommand"};

// What happens to a number that its field cannot hold.
enum class Overflow : uint8_t { kWrap, kSaturate, kFail };

struct FieldType {
  bool is_signed = false;
  unsigned width = 0;
};

struct FieldOperation {
  enum class Kind : uint8_t { kGet, kSet, kIncrement };
  Kind kind = Kind::kGet;
  Overflow overflow = Overflow::kWrap;
  FieldType type;
  uint64_t offset = 0;
  int64_t operand = 0;
};

// i1 .. i64, u1 .. u63; the letter in lower case only.
ErrorText parse_field_type(Bytes text, FieldType* type) {
  if (text.empty() || (text[0] != 'i' && text[0] != 'u')) return kFieldType;
  type->is_signed = text[0] == 'i';
  const auto width = parse_int64(text.substr(1));
  if (!width || *width < 1 || *width > (type->is_signed ? 64 : 63)) return kFieldType;
  type->width = static_cast<unsigned>(*width);
  return {};
}

Overflow take_overflow(ArgReader& args) {
  if (args.take_word("WRAP")) return Overflow::kWrap;
  if (args.take_word("SAT")) return Overflow::kSaturate;
  if (args.take_word("FAIL")) return Overflow::kFail;
  args.fail(kOverflowType);
  return Overflow::kWrap;
}

// Type and offset, which may be counted in fields: #3. Latches an error.
void take_field(CommandContext& ctx, ArgReader& args, FieldOperation* operation) {
  const auto [type_text, offset_text] = args.take<Bytes, Bytes>();
  if (args.ok()) args.fail(parse_field_type(type_text, &operation->type));
  if (!args.ok()) return;
  const bool in_fields = !offset_text.empty() && offset_text[0] == '#';
  operation->offset = parse_bit_offset(ctx, args, in_fields ? offset_text.substr(1) : offset_text,
                                       in_fields ? operation->type.width : 1);
}

// All operations of a request. Errors are latched.
std::vector<FieldOperation> take_operations(CommandContext& ctx, ArgReader& args) {
  std::vector<FieldOperation> operations;
  Overflow overflow = Overflow::kWrap;
  while (args.ok() && !args.at_end()) {
    const size_t arguments = args.remaining() - 1;
    FieldOperation operation;
    operation.overflow = overflow;
    if (arguments >= 2 && args.take_word("GET")) {
      take_field(ctx, args, &operation);
    } else if (arguments >= 3 && args.take_word("SET")) {
      operation.kind = FieldOperation::Kind::kSet;
    } else if (arguments >= 3 && args.take_word("INCRBY")) {
      operation.kind = FieldOperation::Kind::kIncrement;
    } else if (arguments >= 1 && args.take_word("OVERFLOW")) {
      overflow = take_overflow(args);
      continue;
    } else {
      args.fail(kSyntax);
    }
    if (operation.kind != FieldOperation::Kind::kGet) {
      take_field(ctx, args, &operation);
      operation.operand = args.take<int64_t>();
    }
    operations.push_back(operation);
  }
  return operations;
}

// ---- Numbers in fields

// Wide enough for the sum of a field's number and any operand.
__extension__ using Wide = __int128;

struct Limits {
  Wide min;
  Wide max;
};

Limits limits_of(FieldType type) {
  const Wide count = Wide{1} << type.width;
  return type.is_signed ? Limits{-count / 2, count / 2 - 1} : Limits{0, count - 1};
}

Wide read_number(Bytes bytes, const FieldOperation& operation) {
  const uint64_t raw = read_bit_field(bytes, operation.offset, operation.type.width);
  const unsigned unused = 64 - operation.type.width;
  // The highest bit of the field is the sign: moved to the top and back, it fills the rest.
  return operation.type.is_signed ? Wide{static_cast<int64_t>(raw << unused) >> unused} : Wide{raw};
}

// What is stored instead of a number that may not fit; nothing if it must not be stored. Its bits above the field's width
// do not count.
std::optional<Wide> fit(Wide number, FieldType type, Overflow overflow) {
  const auto [min, max] = limits_of(type);
  if (number >= min && number <= max) return number;
  if (overflow == Overflow::kFail) return std::nullopt;
  if (overflow == Overflow::kSaturate) return std::clamp(number, min, max);
  const Wide count = Wide{1} << type.width;
  const Wide rest = number & (count - 1);
  return rest > max ? rest - count : rest;
}

// Does a SET or INCRBY and replies. Returns whether the field has another number now.
bool write_field(ReplyWriter& reply, char* bytes, size_t size, const FieldOperation& operation) {
  const Wide old = read_number({bytes, size}, operation);
  Wide wanted = old + operation.operand;
  if (operation.kind == FieldOperation::Kind::kSet) {
    // An unsigned field takes a negative number for a very large one.
    wanted = operation.type.is_signed ? Wide{operation.operand} : Wide{static_cast<uint64_t>(operation.operand)};
  }
  const auto stored = fit(wanted, operation.type, operation.overflow);
  if (!stored) {
    reply.null();
    return false;
  }
  write_bit_field(bytes, operation.offset, operation.type.width, static_cast<uint64_t>(*stored));
  reply.integer(static_cast<int64_t>(operation.kind == FieldOperation::Kind::kSet ? old : *stored));
  return *stored != old;
}

void read_fields(CommandContext& ctx, Key key, const std::vector<FieldOperation>& operations) {
  const auto value = ctx.keys().read<StringValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  const StringText text = value ? value->text() : StringText(Bytes());
  ctx.reply().array(operations.size());
  for (const FieldOperation& operation : operations) {
    ctx.reply().integer(static_cast<int64_t>(read_number(text, operation)));
  }
}

bool is_get(const FieldOperation& operation) { return operation.kind == FieldOperation::Kind::kGet; }

}  // namespace

namespace bitmap_commands {

void bitfield(CommandContext& ctx, ArgReader& args) {
  const Key key = args.take<Key>();
  const auto operations = take_operations(ctx, args);
  if (!args.done(ctx.reply())) return;
  if (std::all_of(operations.begin(), operations.end(), is_get)) return read_fields(ctx, key, operations);

  auto value = ctx.keys().edit_or_create<StringValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  uint64_t bits_min = 0;
  for (const FieldOperation& operation : operations) {
    if (!is_get(operation)) bits_min = std::max(bits_min, operation.offset + operation.type.width);
  }
  const auto size_min = static_cast<size_t>((bits_min + 7) / 8);
  // A string that becomes longer has changed, even if every operation fails: then without an event.
  const bool grows = value->size() < size_min;
  uint64_t changes = 0;
  char* bytes = value->mutable_bytes(size_min);
  const size_t size = value->size();
  ctx.reply().array(operations.size());
  for (const FieldOperation& operation : operations) {
    if (is_get(operation)) {
      ctx.reply().integer(static_cast<int64_t>(read_number({bytes, size}, operation)));
    } else {
      changes += write_field(ctx.reply(), bytes, size, operation);
    }
  }
  if (changes > 0) ctx.changed(key.bytes, Event::kSetBit, changes);
  if (changes == 0 && grows) ctx.changed(key.bytes, Event::kQuiet);
}

void bitfield_ro(CommandContext& ctx, ArgReader& args) {
  const Key key = args.take<Key>();
  const auto operations = take_operations(ctx, args);
  if (args.ok() && !std::all_of(operations.begin(), operations.end(), is_get)) args.fail(kGetOnly);
  if (!args.done(ctx.reply())) return;
  read_fields(ctx, key, operations);
}

}  // namespace bitmap_commands
}  // namespace larder
