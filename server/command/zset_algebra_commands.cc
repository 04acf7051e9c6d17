// Union, intersection and difference of sorted sets; plain sets take part with a score of 1 for every member.
//
//   ZUNION numkeys key [key ...] [WEIGHTS weight ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]
//
// and the forms that store the result. Every source's type is checked before the options are read. Sources are taken by size,
// smallest first (but for a difference): that decides how much an intersection looks at, and in which order scores are added,
// which shows in their last digits.

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "server/command/zset_arguments.h"
#include "server/command/zset_handlers.h"
#include "storage/set_value.h"
#include "storage/zset_value.h"

namespace larder {
namespace {

constexpr ErrorText kWeightNotFloat{"ERR weight value is not a float"};

enum class Algebra : uint8_t { kUnion, kIntersection, kDifference };
enum class Aggregate : uint8_t { kSum, kMin, kMax };
enum class AlgebraResult : uint8_t { kReplied, kStored, kCounted };

// A sorted set, a set, or nothing at all.
class Source {
 public:
  Source() = default;
  explicit Source(ZsetValue zset) : kind_(Kind::kZset), zset_(zset), size_(zset.size()) {}
  explicit Source(SetValue set) : kind_(Kind::kSet), set_(set), size_(set.size()) {}

  size_t size() const { return size_; }
  // Calls visit(Bytes member, double weighted score) until it returns false.
  template <class Visit>
  void for_each_until(Visit visit) const {
    if (kind_ == Kind::kSet) set_.for_each_until([&](Bytes member) { return visit(member, weighted(1)); });
    if (kind_ != Kind::kZset) return;
    zset_.visit_until({0, size_}, [&](Bytes member, double score) { return visit(member, weighted(score)); });
  }
  // Unlike a visited score this may be no number (infinity times 0): only the sum that it goes into counts as 0.
  std::optional<double> weighted_score(Bytes member) const {
    if (kind_ == Kind::kSet) return set_.contains(member) ? std::optional(weight_) : std::nullopt;
    const auto score = kind_ == Kind::kZset ? zset_.score(member) : std::nullopt;
    return score ? std::optional(weight_ * *score) : std::nullopt;
  }
  bool contains(Bytes member) const { return weighted_score(member).has_value(); }
  void set_weight(double weight) { weight_ = weight; }

 private:
  enum class Kind : uint8_t { kNothing, kZset, kSet };
  double weighted(double score) const {
    const double product = weight_ * score;
    return std::isnan(product) ? 0 : product;  // infinity times 0
  }

  Kind kind_ = Kind::kNothing;
  ZsetValue zset_;
  SetValue set_;
  size_t size_ = 0;
  double weight_ = 1;
};

struct AlgebraRequest {
  Algebra algebra;
  AlgebraResult result;
  Aggregate aggregate = Aggregate::kSum;
  bool with_scores = false;
  int64_t limit = 0;  // 0: none
  std::vector<Source> sources{};
};

// What a becomes with b, which may be no number.
double aggregated(Aggregate aggregate, double a, double b) {
  if (aggregate == Aggregate::kMin) return b < a ? b : a;
  if (aggregate == Aggregate::kMax) return b > a ? b : a;
  return std::isnan(a + b) ? 0 : a + b;  // infinity and minus infinity, or b is none
}

// False: a key holds something that is no set. Keys past their deadline go first, because that moves what is open.
bool open_sources(CommandContext& ctx, std::span<const Bytes> keys, std::vector<Source>& sources) {
  for (const Bytes key : keys) (void)ctx.keys().find(Key{key});
  sources.reserve(keys.size());
  for (const Bytes key : keys) {
    const auto zset = ctx.keys().read<ZsetValue>(Key{key});
    if (zset.missing()) {
      sources.emplace_back();
    } else if (zset) {
      sources.emplace_back(*zset);
    } else {
      // The first look-up has counted as a use of the key.
      const auto set = ctx.keys().keyspace().read<SetValue>(ctx.keys().hashed(Key{key}), ctx.now_ms(), Touch::kNo);
      if (!set) return false;
      sources.emplace_back(*set);
    }
  }
  return true;
}

void take_weights(ArgReader& args, std::vector<Source>& sources) {
  for (Source& source : sources) {
    const auto weight = parse_double(args.take<Bytes>());
    if (!weight) args.fail(kWeightNotFloat);
    if (!args.ok()) return;
    source.set_weight(*weight);
  }
}

void take_algebra_options(ArgReader& args, AlgebraRequest& request) {
  const bool puts_together = request.algebra != Algebra::kDifference && request.result != AlgebraResult::kCounted;
  while (args.ok() && !args.at_end()) {
    if (puts_together && args.remaining() > request.sources.size() && args.take_word("WEIGHTS")) {
      take_weights(args, request.sources);
    } else if (puts_together && args.remaining() > 1 && args.take_word("AGGREGATE")) {
      if (args.take_word("SUM")) {
        request.aggregate = Aggregate::kSum;
      } else if (args.take_word("MIN")) {
        request.aggregate = Aggregate::kMin;
      } else if (args.take_word("MAX")) {
        request.aggregate = Aggregate::kMax;
      } else {
        args.fail(kSyntax);
      }
    } else if (request.result == AlgebraResult::kReplied && args.take_word("WITHSCORES")) {
      request.with_scores = true;
    } else if (request.result == AlgebraResult::kCounted && args.remaining() > 1 && args.take_word("LIMIT")) {
      request.limit = args.take_int(0, INT64_MAX, kLimitNegative, kLimitNegative);
    } else {
      args.fail(kSyntax);
    }
  }
}

// Reads everything behind the destination; false when an error is answered.
bool take_request(CommandContext& ctx, ArgReader& args, AlgebraRequest& request) {
  const auto key_count = args.take<int64_t>();
  if (args.ok() && key_count < 1) {
    ctx.reply().error("ERR at least 1 input key is needed for '" + std::string(ctx.command().full_name) + "' command");
    return false;
  }
  if (args.ok() && static_cast<uint64_t>(key_count) > args.remaining()) args.fail(kSyntax);
  const auto keys = args.take_many(static_cast<size_t>(key_count));
  if (args.ok() && !open_sources(ctx, keys, request.sources)) args.fail(kWrongType);
  take_algebra_options(args, request);
  if (!args.done(ctx.reply())) return false;
  if (request.algebra != Algebra::kDifference) {
    std::stable_sort(request.sources.begin(), request.sources.end(),
                     [](const Source& a, const Source& b) { return a.size() < b.size(); });
  }
  return true;
}

// Calls visit(Bytes, double) with every member of the intersection until it returns false.
template <class Visit>
void for_each_common(const AlgebraRequest& request, Visit visit) {
  const auto& sources = request.sources;
  sources[0].for_each_until([&](Bytes member, double score) {
    for (size_t i = 1; i < sources.size(); i++) {
      const auto other = sources[i].weighted_score(member);
      if (!other) return true;
      score = aggregated(request.aggregate, score, *other);
    }
    return visit(member, score);
  });
}

void add_union(const AlgebraRequest& request, ZsetStructure& built) {
  built.expect(request.sources.back().size());  // the largest: so many at least
  for (const Source& source : request.sources) {
    const bool is_first = built.size() == 0;  // then its members are all new
    source.for_each_until([&](Bytes member, double score) {
      const HashedKey hashed = built.hashed(member);
      ZsetMember* found = is_first ? nullptr : built.find(hashed);
      if (found == nullptr) {
        built.add_unordered(hashed, score);
      } else {
        ZsetStructure::set_unordered_score(found, aggregated(request.aggregate, found->score(), score));
      }
      return true;
    });
  }
}

void add_difference(const AlgebraRequest& request, ZsetStructure& built) {
  const auto& sources = request.sources;
  sources[0].for_each_until([&](Bytes member, double score) {
    const bool is_elsewhere =
        std::any_of(sources.begin() + 1, sources.end(), [&](const Source& other) { return other.contains(member); });
    if (!is_elsewhere) built.add_unordered(built.hashed(member), score);
    return true;
  });
}

ZsetStructure* build(CommandContext& ctx, const AlgebraRequest& request) {
  ZsetStructure* built = new_result(ctx);
  switch (request.algebra) {
    case Algebra::kUnion:
      add_union(request, *built);
      break;
    case Algebra::kIntersection:
      for_each_common(request, [&](Bytes member, double score) {
        built->add_unordered(built->hashed(member), score);
        return true;
      });
      break;
    case Algebra::kDifference:
      add_difference(request, *built);
      break;
  }
  built->put_in_order();
  return built;
}

void reply_algebra(CommandContext& ctx, ArgReader& args, Algebra algebra) {
  AlgebraRequest request{.algebra = algebra, .result = AlgebraResult::kReplied};
  if (!take_request(ctx, args, request)) return;
  ZsetStructure* built = build(ctx, request);
  MemberReply reply(ctx.reply(), request.with_scores);
  reply.begin(built->size());
  built->tree().visit(0, built->size(), false,
                      [&](const ZsetMember* member) { reply.member(member->bytes(), member->score()); });
  ctx.services().store.dispose(built);
}

void store_algebra(CommandContext& ctx, ArgReader& args, Algebra algebra, Event event) {
  const auto destination = args.take<Key>();
  AlgebraRequest request{.algebra = algebra, .result = AlgebraResult::kStored};
  if (!take_request(ctx, args, request)) return;
  store_and_reply(ctx, destination, build(ctx, request), event);
}

}  // namespace

namespace zset_commands {

void zunion(CommandContext& ctx, ArgReader& args) { reply_algebra(ctx, args, Algebra::kUnion); }
void zinter(CommandContext& ctx, ArgReader& args) { reply_algebra(ctx, args, Algebra::kIntersection); }
void zdiff(CommandContext& ctx, ArgReader& args) { reply_algebra(ctx, args, Algebra::kDifference); }
void zunionstore(CommandContext& ctx, ArgReader& args) {
  store_algebra(ctx, args, Algebra::kUnion, Event::kZUnionStore);
}
void zinterstore(CommandContext& ctx, ArgReader& args) {
  store_algebra(ctx, args, Algebra::kIntersection, Event::kZInterStore);
}
void zdiffstore(CommandContext& ctx, ArgReader& args) {
  store_algebra(ctx, args, Algebra::kDifference, Event::kZDiffStore);
}

void zintercard(CommandContext& ctx, ArgReader& args) {
  AlgebraRequest request{.algebra = Algebra::kIntersection, .result = AlgebraResult::kCounted};
  if (!take_request(ctx, args, request)) return;
  int64_t count = 0;
  for_each_common(request, [&](Bytes, double) { return ++count != request.limit; });
  ctx.reply().integer(count);
}

}  // namespace zset_commands
}  // namespace larder
