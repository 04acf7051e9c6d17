// LCS: the longest common subsequence of two strings, by dynamic programming over all pairs of prefixes.
//
//   length(i, j) = length(i-1, j-1) + 1                       when a[i-1] == b[j-1]
//                = max(length(i-1, j), length(i, j-1))        else
//
// The way back from (|a|, |b|) to the origin spells the subsequence: at a match both indices go down, elsewhere the one
// whose neighbour is longer (on a tie the index into b, which decides what Redis's clients see when there are several
// answers). The way needs one bit of each cell and the lengths only of the last row, so the table costs |a|*|b|/8 bytes
// and one row instead of the textbook's four bytes a cell.
//
// Time is |a|*|b| steps. The limit is that of Redis, four bytes a cell within proto-max-bulk-len, kept because it is
// what bounds how long the command can hold the server: 2^27 cells with the default.

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "server/command/string_handlers.h"
#include "server/config/settings.h"
#include "storage/string_value.h"

namespace larder {
namespace {

class LcsTable {
 public:
  // `keep_way` is needed for steps_in_a(); without it only the length is known. The strings outlive the constructor's
  // call only as far as the caller uses them.
  LcsTable(Bytes a, Bytes b, bool keep_way) : row_bits_(b.size() + 1), lengths_(b.size() + 1) {
    if (keep_way) way_.resize((a.size() + 1) * row_bits_ / 64 + 1);
    for (size_t i = 1; i <= a.size(); ++i) {
      fill_row(a[i - 1], b, keep_way ? i * row_bits_ : kNoWay);
    }
  }

  size_t length() const { return lengths_.back(); }
  // Whether the way from (i, j), which is no match, goes on at (i-1, j); else at (i, j-1).
  bool steps_in_a(size_t i, size_t j) const {
    const size_t bit = i * row_bits_ + j;
    return (way_[bit / 64] >> (bit % 64) & 1) != 0;
  }

 private:
  static constexpr size_t kNoWay = SIZE_MAX;

  void fill_row(char of_a, Bytes b, size_t first_bit) {
    uint32_t diagonal = 0;  // length(i-1, j-1)
    for (size_t j = 1; j <= b.size(); ++j) {
      const uint32_t above = lengths_[j];
      const uint32_t left = lengths_[j - 1];
      if (of_a == b[j - 1]) {
        lengths_[j] = diagonal + 1;
      } else if (above > left) {
        if (first_bit != kNoWay) way_[(first_bit + j) / 64] |= uint64_t{1} << ((first_bit + j) % 64);
      } else {
        lengths_[j] = left;
      }
      diagonal = above;
    }
  }

  size_t row_bits_;
  std::vector<uint32_t> lengths_;  // the row being filled; behind j still the one before
  std::vector<uint64_t> way_;
};

// Calls visit(at_a, at_b, size) for every run of matching bytes on the way, the last one first.
template <class Visit>
void for_each_match(const LcsTable& table, Bytes a, Bytes b, Visit visit) {
  size_t i = a.size();
  size_t j = b.size();
  while (i > 0 && j > 0) {
    size_t size = 0;
    while (i > 0 && j > 0 && a[i - 1] == b[j - 1]) --i, --j, ++size;
    if (size > 0) {
      visit(i, j, size);
    } else if (table.steps_in_a(i, j)) {
      --i;
    } else {
      --j;
    }
  }
}

struct LcsOptions {
  bool indexes = false;
  bool length_only = false;
  bool with_match_length = false;
  int64_t match_length_min = 0;
};

LcsOptions read_options(ArgReader& args) {
  LcsOptions options;
  while (args.ok() && !args.at_end()) {
    if (args.take_word("IDX")) {
      options.indexes = true;
    } else if (args.take_word("LEN")) {
      options.length_only = true;
    } else if (args.take_word("WITHMATCHLEN")) {
      options.with_match_length = true;
    } else if (args.take_word("MINMATCHLEN")) {
      options.match_length_min = args.take<int64_t>();
    } else {
      args.fail(kSyntax);
    }
  }
  if (args.ok() && options.indexes && options.length_only) args.fail(kLcsIndexesAndLength);
  return options;
}

void reply_range(ReplyWriter& reply, size_t first, size_t size) {
  reply.array(2);
  reply.integer(static_cast<int64_t>(first));
  reply.integer(static_cast<int64_t>(first + size - 1));
}

void reply_indexes(ReplyWriter& reply, const LcsTable& table, Bytes a, Bytes b, const LcsOptions& options) {
  reply.map(2);
  reply.bulk("matches");
  const auto mark = reply.begin_deferred();
  size_t count = 0;
  for_each_match(table, a, b, [&](size_t at_a, size_t at_b, size_t size) {
    if (static_cast<int64_t>(size) < options.match_length_min) return;
    reply.array(options.with_match_length ? 3 : 2);
    reply_range(reply, at_a, size);
    reply_range(reply, at_b, size);
    if (options.with_match_length) reply.integer(static_cast<int64_t>(size));
    ++count;
  });
  reply.end_deferred_array(mark, count);
  reply.bulk("len");
  reply.integer(static_cast<int64_t>(table.length()));
}

void reply_subsequence(ReplyWriter& reply, const LcsTable& table, Bytes a, Bytes b) {
  std::string common(table.length(), '\0');
  size_t unfilled = common.size();
  for_each_match(table, a, b, [&](size_t at_a, size_t, size_t size) {
    unfilled -= size;
    common.replace(unfilled, size, a.substr(at_a, size));
  });
  reply.bulk(common);
}

bool fits(Bytes a, Bytes b, int64_t bytes_max) {
  uint64_t cells = 0;
  if (__builtin_mul_overflow(uint64_t{a.size()} + 1, uint64_t{b.size()} + 1, &cells)) return false;
  return cells <= static_cast<uint64_t>(bytes_max) / sizeof(uint32_t);
}

}  // namespace

void string_commands::lcs(CommandContext& ctx, ArgReader& args) {
  const auto [key_a, key_b] = args.take<Key, Key>();
  ctx.keys().contains(key_b);  // removes it if it has expired: afterwards, that would end the view of the other value
  const auto value_a = ctx.keys().read<StringValue>(key_a);
  const auto value_b = ctx.keys().read<StringValue>(key_b);
  ReplyWriter& reply = ctx.reply();
  if (value_a.wrong_type() || value_b.wrong_type()) return reply.error(kLcsWrongType);
  const LcsOptions options = read_options(args);
  if (!args.done(reply)) return;

  const StringText text_a = value_a ? value_a->text() : StringText(Bytes());
  const StringText text_b = value_b ? value_b->text() : StringText(Bytes());
  if (!fits(text_a, text_b, ctx.services().settings.bulk_bytes_max)) return reply.error(kLcsTooLarge);
  const LcsTable table(text_a, text_b, !options.length_only);
  if (options.length_only) return reply.integer(static_cast<int64_t>(table.length()));
  if (options.indexes) return reply_indexes(reply, table, text_a, text_b, options);
  reply_subsequence(reply, table, text_a, text_b);
}

}  // namespace larder
