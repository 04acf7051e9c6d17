// BITOP: several strings become one, bit by bit.

#include <algorithm>
#include <string>
#include <vector>

#include "server/command/bitmap_handlers.h"
#include "server/command/key_walk.h"
#include "storage/bit_array.h"
#include "storage/string_value.h"

namespace larder {
namespace {

struct OperationRow {
  Bytes word;
  BitOperation operation;
  size_t sources_min;
  size_t sources_max;
  ErrorText wrong_count;
};

constexpr OperationRow kOperations[] = {
    {"AND", BitOperation::kAnd, 1, SIZE_MAX, {}},
    {"OR", BitOperation::kOr, 1, SIZE_MAX, {}},
    {"XOR", BitOperation::kXor, 1, SIZE_MAX, {}},
    {"NOT", BitOperation::kNot, 1, 1, ErrorText("ERR BITOP NOT must be called with a single source key.")},
    {"DIFF", BitOperation::kDiff, 2, SIZE_MAX,
     ErrorText("ERR BITOP DIFF must be called with at least two source keys.")},
    {"DIFF1", BitOperation::kDiffOne, 2, SIZE_MAX,
     ErrorText("ERR BITOP DIFF1 must be called with at least two source keys.")},
    {"ANDOR", BitOperation::kAndOr, 2, SIZE_MAX,
     ErrorText("ERR BITOP ANDOR must be called with at least two source keys.")},
    {"ONE", BitOperation::kOne, 1, SIZE_MAX, {}},
};

const OperationRow* take_operation(ArgReader& args) {
  for (const OperationRow& row : kOperations) {
    if (args.take_word(row.word)) return &row;
  }
  args.fail(kSyntax);
  return nullptr;
}

// The sources' bytes, which stay while the destination is written, though it may be one of them: large strings are
// held by a reference, small ones are copied.
class Sources {
 public:
  // False: one is no string.
  bool read(CommandContext& ctx, std::span<const Bytes> keys) {
    items_.reserve(keys.size());  // so that none of the copies moves
    bytes_.reserve(keys.size());
    bool all_strings = true;
    for_each_key(ctx, keys, 1, [&](Key key, size_t) {
      if (!all_strings) return;
      const auto value = ctx.keys().read<StringValue>(key);
      all_strings = !value.wrong_type();
      if (value) add(*value);
      if (value.missing()) bytes_.emplace_back();
    });
    return all_strings;
  }
  std::span<const Bytes> bytes() const { return bytes_; }
  size_t size_max() const { return size_max_; }

 private:
  struct Item {
    BlobPin pin;
    std::string copy;
  };

  void add(const StringValue& value) {
    items_.push_back(Item{value.pin(), {}});
    Item& item = items_.back();
    if (!item.pin) item.copy = value.text().bytes();
    bytes_.push_back(item.pin ? item.pin.bytes() : Bytes(item.copy));
    size_max_ = std::max(size_max_, bytes_.back().size());
  }

  std::vector<Item> items_;
  std::vector<Bytes> bytes_;
  size_t size_max_ = 0;
};

}  // namespace

namespace bitmap_commands {

void bitop(CommandContext& ctx, ArgReader& args) {
  const OperationRow* row = take_operation(args);
  const Key destination = args.take<Key>();
  const auto keys = args.rest();
  if (args.ok() && (keys.size() < row->sources_min || keys.size() > row->sources_max)) args.fail(row->wrong_count);
  if (!args.done(ctx.reply())) return;
  Sources sources;
  if (!sources.read(ctx, keys)) return ctx.reply().error(kWrongType);
  const size_t size = sources.size_max();
  if (size == 0) {
    if (ctx.keys().erase(destination)) ctx.changed(destination.bytes, Event::kDel);
    return ctx.reply().integer(0);
  }
  auto value = ctx.keys().edit_or_create<StringValue>(destination);
  // What was there is used again if it can be; its type and its time to live are not.
  if (value.wrong_type() || value->deadline_ms() != kNoDeadline) {
    ctx.keys().assign_string(destination, Bytes(), DeadlineRule::none(), StringForm::kEdited);
    value = ctx.keys().edit<StringValue>(destination);
  }
  combine_bits(row->operation, sources.bytes(), value->overwrite_bytes(size), size);
  ctx.changed(destination.bytes, Event::kSet);
  ctx.reply().integer(static_cast<int64_t>(size));
}

}  // namespace bitmap_commands
}  // namespace larder
