// SORT and SORT_RO.
//
// The elements are copied into one text first: looking up the keys that BY and GET name may remove expired keys, and
// STORE may replace the list that is sorted. Texts are kept with a NUL behind them, as numbers are read the way C does.

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/command/list_handlers.h"
#include "server/command/overwriting.h"
#include "server/core/command_spec.h"
#include "storage/hash_value.h"
#include "storage/list_value.h"
#include "storage/set_value.h"
#include "storage/zset_value.h"

namespace larder {
namespace {

void sort(CommandContext& ctx, ArgReader& args);
void sort_ro(CommandContext& ctx, ArgReader& args);

constexpr CommandSpec kSortRows[] = {
    {"sort", -2, kWrite | kDenyOom, Acl::kDangerous | Acl::kList | Acl::kSet | Acl::kSortedSet,
     key_specs("RO+ACCESS@i1:range(0,1,0);RO+ACCESS@?:?;OW+UPDATE@?:?"), sort},
    {"sort_ro", -2, kReadonly, Acl::kDangerous | Acl::kList | Acl::kSet | Acl::kSortedSet,
     key_specs("RO+ACCESS@i1:range(0,1,0);RO+ACCESS@?:?"), sort_ro},
};

constexpr ErrorText kNotDouble{"ERR One or more scores can't be converted into double"};

enum class Writing : uint8_t { kAllowed, kRefused };

struct SortOptions {
  Key key;
  bool has_by = false;
  Bytes by;  // a pattern with a '*', unless the order is not to change
  bool sorts = true;
  std::vector<Bytes> get;
  bool descending = false;
  bool alpha = false;
  int64_t offset = 0;
  int64_t count = -1;  // negative: all
  bool stores = false;
  Key destination;
};

SortOptions take_options(ArgReader& args, Writing writing) {
  SortOptions options;
  options.key = args.take<Key>();
  while (args.ok() && !args.at_end()) {
    if (args.take_word("ASC")) {
      options.descending = false;
    } else if (args.take_word("DESC")) {
      options.descending = true;
    } else if (args.take_word("ALPHA")) {
      options.alpha = true;
    } else if (args.remaining() >= 3 && args.take_word("LIMIT")) {
      std::tie(options.offset, options.count) = args.take<int64_t, int64_t>();
    } else if (writing == Writing::kAllowed && args.remaining() >= 2 && args.take_word("STORE")) {
      options.stores = true;
      options.destination = args.take<Key>();
    } else if (args.remaining() >= 2 && args.take_word("BY")) {
      options.has_by = true;
      options.by = args.take<Bytes>();
      options.sorts &= options.by.find('*') != Bytes::npos;
    } else if (args.remaining() >= 2 && args.take_word("GET")) {
      options.get.push_back(args.take<Bytes>());
    } else {
      args.fail(kSyntax);
    }
  }
  return options;
}

// Texts one after the other, each with a NUL behind it.
class TextPool {
 public:
  struct Text {
    size_t offset = 0;
    size_t size = 0;
  };
  Text add(Bytes text) {
    const Text added{bytes_.size(), text.size()};
    bytes_.append(text);
    bytes_.push_back('\0');
    return added;
  }
  Bytes of(Text text) const { return Bytes(bytes_).substr(text.offset, text.size); }
  const char* c_text(Text text) const { return bytes_.data() + text.offset; }

 private:
  std::string bytes_;
};

struct Item {
  TextPool::Text element;
  TextPool::Text weight;    // what it is compared by, with ALPHA
  bool has_weight = false;  // false: the key that BY names is missing
  double score = 0;
};

// A number as strtod reads it: leading blanks, hexadecimal and infinities, but no NaN and nothing behind it.
bool read_score(const char* text, double* score) {
  char* end = nullptr;
  errno = 0;
  *score = std::strtod(text, &end);
  return *end == '\0' && errno != ERANGE && !std::isnan(*score);
}

class Sorter {
 public:
  Sorter(CommandContext& ctx, const SortOptions& options)
      : ctx_(ctx), options_(options), sorts_(options.sorts), alpha_(options.alpha) {}

  // False: the key has another type; the error is written.
  bool collect();
  bool sort();
  void reply();
  void store();

 private:
  // Whether other keys tell the order.
  bool has_pattern() const { return options_.has_by && options_.sorts; }
  bool weigh(Item& item);
  // < 0, 0, > 0
  int compare(const Item& a, const Item& b) const;
  // Calls found(Bytes) with what a pattern names for an element, or missing().
  template <class Found, class Missing>
  void look_up(Bytes pattern, Bytes element, Found found, Missing missing);
  template <class Visit>
  void visit_result(Visit visit_item) const;
  size_t result_size() const { return (end_ - begin_) * std::max<size_t>(options_.get.size(), 1); }
  // Calls put(Bytes) or absent() for each value of the result.
  template <class Put, class Absent>
  void write_result(Put put, Absent absent);

  CommandContext& ctx_;
  const SortOptions& options_;
  bool sorts_;
  bool alpha_;
  bool makes_definite_ = false;  // elements of equal weights are ordered by themselves
  TextPool texts_;
  std::vector<Item> items_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

bool Sorter::collect() {
  const auto add = [this](Bytes element) { items_.push_back({texts_.add(element), {}, false, 0}); };
  const Entry* entry = ctx_.keys().read_entry(options_.key);
  if (entry == nullptr) return true;
  switch (entry->type()) {
    case ValueType::kList: {
      const auto list = ctx_.keys().read<ListValue>(options_.key);
      char digits[kInt64TextBytesMax];
      list->visit(0, list->size(), [&](const PackedElement& element) { add(element.text(digits)); });
      if (options_.descending && !sorts_) std::reverse(items_.begin(), items_.end());
      return true;
    }
    case ValueType::kSet:
      // A set has no order of its own: where the order is kept, it is made a definite one, the same after a restart.
      makes_definite_ = options_.stores || (ctx_.client().flags & kClientScript);
      if (!sorts_ && makes_definite_) {
        sorts_ = true;
        alpha_ = true;
      }
      ctx_.keys().read<SetValue>(options_.key)->for_each(add);
      return true;
    case ValueType::kZset: {
      const auto zset = ctx_.keys().read<ZsetValue>(options_.key);
      zset->visit({0, zset->size()}, options_.descending && !sorts_, [&](Bytes member, double) { add(member); });
      return true;
    }
    default:
      ctx_.reply().error(kWrongType);
      return false;
  }
}

template <class Found, class Missing>
void Sorter::look_up(Bytes pattern, Bytes element, Found found, Missing missing) {
  if (pattern == "#") return found(element);
  const size_t star = pattern.find('*');
  if (star == Bytes::npos) return missing();
  const size_t arrow = pattern.find("->", star + 1);
  const bool names_field = arrow != Bytes::npos && arrow + 2 < pattern.size();
  const Bytes tail = names_field ? pattern.substr(star + 1, arrow - star - 1) : pattern.substr(star + 1);
  std::string name(pattern.substr(0, star));
  name.append(element).append(tail);
  if (!names_field) {
    const auto value = ctx_.keys().read<StringValue>(Key{name});
    if (!value) return missing();
    return found(value->text());
  }
  const auto hash = ctx_.keys().read<HashValue>(Key{name});
  HashText text;
  if (!hash || !hash->get(pattern.substr(arrow + 2), &text)) return missing();
  found(text.bytes());
}

// False: it is no number.
bool Sorter::weigh(Item& item) {
  if (!has_pattern()) {
    item.weight = item.element;
    item.has_weight = true;
  } else {
    // The pool may move while it grows: the element's text is looked up by a copy.
    const std::string element(texts_.of(item.element));
    look_up(
        options_.by, element,
        [&](Bytes text) {
          item.weight = texts_.add(text);
          item.has_weight = true;
        },
        [] {});
  }
  if (alpha_ || !item.has_weight) return true;
  return read_score(texts_.c_text(item.weight), &item.score);
}

int Sorter::compare(const Item& a, const Item& b) const {
  if (alpha_) {
    const int order = a.has_weight && b.has_weight ? texts_.of(a.weight).compare(texts_.of(b.weight))
                                                   : static_cast<int>(a.has_weight) - static_cast<int>(b.has_weight);
    if (order != 0 || !makes_definite_) return order;
    return texts_.of(a.element).compare(texts_.of(b.element));
  }
  if (a.score != b.score) return a.score < b.score ? -1 : 1;
  return texts_.of(a.element).compare(texts_.of(b.element));
}

bool Sorter::sort() {
  if (sorts_) {
    bool all_numbers = true;
    for (Item& item : items_) all_numbers &= weigh(item);
    if (!all_numbers) return ctx_.reply().error(kNotDouble), false;
  }
  const auto size = static_cast<int64_t>(items_.size());
  const int64_t begin = std::clamp<int64_t>(options_.offset, 0, size);
  const int64_t end = options_.count < 0 ? size : begin + std::min(options_.count, size - begin);
  begin_ = static_cast<size_t>(begin);
  end_ = static_cast<size_t>(end);
  if (!sorts_) return true;
  const auto is_before = [this](const Item& a, const Item& b) {
    const int order = compare(a, b);
    return options_.descending ? order > 0 : order < 0;
  };
  // Only the part that is asked for is put in order where that is little; equal weights keep their order elsewhere.
  if (end_ * 4 < items_.size() && !(alpha_ && has_pattern())) {
    std::partial_sort(items_.begin(), items_.begin() + end, items_.end(), is_before);
  } else {
    std::stable_sort(items_.begin(), items_.end(), is_before);
  }
  return true;
}

template <class Put, class Absent>
void Sorter::write_result(Put put, Absent absent) {
  for (size_t i = begin_; i < end_; i++) {
    const Bytes element = texts_.of(items_[i].element);
    if (options_.get.empty()) put(element);
    for (const Bytes pattern : options_.get) look_up(pattern, element, put, absent);
  }
}

void Sorter::reply() {
  ReplyWriter& reply = ctx_.reply();
  reply.array(result_size());
  write_result([&](Bytes text) { reply.bulk(text); }, [&] { reply.null(); });
}

void Sorter::store() {
  const Key destination = options_.destination;
  if (result_size() == 0) {
    if (ctx_.keys().erase(destination)) ctx_.changed(destination.bytes, Event::kDel);
    return ctx_.reply().integer(0);
  }
  // What GET names is read before the destination is replaced, which it may be.
  TextPool values;
  std::vector<TextPool::Text> result;
  result.reserve(result_size());
  size_t bytes = 0;
  const auto add = [&](Bytes text) {
    result.push_back(values.add(text));
    bytes += text.size();
  };
  write_result(add, [&] { add({}); });
  const Overwriting overwriting(ctx_, destination);
  ctx_.keys().erase(destination);
  auto list = ctx_.keys().edit_or_create<ListValue>(destination);
  list->expect_growth(bytes, result.size(), list_limits(ctx_));
  for (const TextPool::Text text : result) list->push(ListEnd::kBack, values.of(text));
  ctx_.reply().integer(static_cast<int64_t>(result.size()));
  ctx_.changed(destination.bytes, Event::kSortStore, result.size());
}

void run(CommandContext& ctx, ArgReader& args, Writing writing) {
  const SortOptions options = take_options(args, writing);
  if (!args.done(ctx.reply())) return;
  Sorter sorter(ctx, options);
  if (!sorter.collect() || !sorter.sort()) return;
  if (options.stores) return sorter.store();
  sorter.reply();
}

void sort(CommandContext& ctx, ArgReader& args) { run(ctx, args, Writing::kAllowed); }
void sort_ro(CommandContext& ctx, ArgReader& args) { run(ctx, args, Writing::kRefused); }

}  // namespace

const CommandFamily kSortFamily{"generic", kSortRows, kSortDocs};

}  // namespace larder
