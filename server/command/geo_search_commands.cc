// Places within a circle, a box or a polygon.
//
//   GEOSEARCH key FROMMEMBER member | FROMLONLAT longitude latitude
//             BYRADIUS radius unit | BYBOX width height unit | BYPOLYGON count longitude latitude ...
//             [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]
//   GEOSEARCHSTORE destination source ... [STOREDIST]
//   GEORADIUS key longitude latitude radius unit ... [STORE key | STOREDIST key]
//   GEORADIUSBYMEMBER key member radius unit ... [STORE key | STOREDIST key]
//
// A polygon has a centre of its own (the mean of its vertices), and excludes the two FROM words. The source is looked at before
// the words are, since FROMMEMBER needs it; where it is missing, words are checked all the same.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "server/command/geo_handlers.h"
#include "server/command/zset_arguments.h"
#include "storage/zset_value.h"

namespace larder {
namespace {

using namespace geo_commands;

constexpr ErrorText kNumericRadius{"ERR need numeric radius"};
constexpr ErrorText kNegativeRadius{"ERR radius cannot be negative"};
constexpr ErrorText kNumericWidth{"ERR need numeric width"};
constexpr ErrorText kNumericHeight{"ERR need numeric height"};
constexpr ErrorText kNegativeSides{"ERR height or width cannot be negative"};
constexpr ErrorText kNoMember{"ERR could not decode requested zset member"};
constexpr ErrorText kCountPositive{"ERR COUNT must be > 0"};
constexpr ErrorText kAnyWithoutCount{"ERR the ANY argument requires COUNT argument"};
constexpr ErrorText kVertexCount{"ERR invalid number of vertices"};
constexpr ErrorText kTooFewVertices{"ERR GEOSEARCH BYPOLYGON must have at least 3 vertices"};

enum class Form : uint8_t { kSearch, kSearchStore, kRadius, kRadiusReadOnly };
enum class Order : uint8_t { kNone, kNearest, kFarthest };
enum class From : uint8_t { kNowhere, kMember, kPoint };
enum class Area : uint8_t { kNone, kCircle, kBox, kPolygon };

struct SearchRequest {
  Form form;
  Order order = Order::kNone;
  int64_t count = 0;  // 0: all
  bool any = false;   // the first that are found will do
  bool with_distance = false;
  bool with_hash = false;
  bool with_point = false;
  bool stores = false;
  bool stores_distance = false;
  From from = From::kNowhere;
  Area area = Area::kNone;
  Key destination{};
  GeoPoint center{};
  double unit_m = 1;
  double width_m = 0;  // or radius
  double height_m = 0;
  std::vector<GeoPoint> vertices{};

  bool is_search() const { return form == Form::kSearch || form == Form::kSearchStore; }
  // Of what is found: fewer than all without ANY means the nearest.
  Order order_of_found() const { return order == Order::kNone && count > 0 && !any ? Order::kNearest : order; }
  bool needs_distance() const { return with_distance || stores_distance || order_of_found() != Order::kNone; }
};

struct FoundPlace {
  Bytes member;
  double score;
  double distance_m;
  size_t index;  // in the order in which places were found
};

using Source = Lookup<ZsetValue>;

// Reads the options of one request. Errors go into the reply: some have texts with parameters.
class SearchReader {
 public:
  SearchReader(CommandContext& ctx, ArgReader& args, const Source& source, SearchRequest& request)
      : ctx_(ctx), args_(args), source_(source), request_(request) {}

  // All of these: false when an error is answered.
  bool take_center() {
    request_.from = From::kPoint;
    return take_point(ctx_, args_, &request_.center);
  }

  bool take_center_member() {
    const Bytes member = args_.take<Bytes>();
    request_.from = From::kMember;
    if (source_.missing()) return true;
    const auto score = source_->score(member);
    if (!score) return fail(kNoMember);
    request_.center = geohash_decode_score(*score);
    return true;
  }

  // The arguments of GEORADIUS and GEORADIUSBYMEMBER up to the unit.
  bool take_circle(bool by_member) {
    if (!by_member) return take_center() && take_radius();
    if (!source_.missing()) return take_center_member() && take_radius();
    // There is no member then, and nobody looks at the radius.
    args_.take_many(3);
    request_.from = From::kMember;
    request_.area = Area::kCircle;
    return true;
  }

  bool take_radius() {
    const auto radius = parse_double(args_.take<Bytes>());
    if (!radius) return fail(kNumericRadius);
    if (*radius < 0) return fail(kNegativeRadius);
    request_.unit_m = take_unit_m(args_);
    request_.width_m = *radius * request_.unit_m;
    request_.area = Area::kCircle;
    return args_.ok() || fail(args_.error());
  }

  bool take_options() {
    while (!args_.at_end()) {
      if (!take_option()) return false;
    }
    return check_combination();
  }

 private:
  bool fail(ErrorText error) {
    ctx_.reply().error(error);
    return false;
  }

  bool take_option() {
    SearchRequest& request = request_;
    if (args_.take_word("WITHDIST")) return request.with_distance = true;
    if (args_.take_word("WITHHASH")) return request.with_hash = true;
    if (args_.take_word("WITHCOORD")) return request.with_point = true;
    if (args_.take_word("ANY")) return request.any = true;
    if (args_.take_word("ASC")) return set_order(Order::kNearest);
    if (args_.take_word("DESC")) return set_order(Order::kFarthest);
    if (args_.remaining() > 1 && args_.take_word("COUNT")) return take_count();
    if (request.form == Form::kRadius && args_.remaining() > 1) {
      if (args_.take_word("STORE")) return take_destination(false);
      if (args_.take_word("STOREDIST")) return take_destination(true);
    }
    if (request.form == Form::kSearchStore && args_.take_word("STOREDIST")) return request.stores_distance = true;
    if (request.is_search()) return take_search_option();
    return fail(kSyntax);
  }

  bool take_search_option() {
    // A word that comes again counts the last time; one that excludes another is refused behind it.
    const From from = request_.from;
    const bool no_center = from == From::kNowhere;
    const bool no_area = request_.area == Area::kNone;
    const bool centers_itself = request_.area == Area::kPolygon;
    const size_t left = args_.remaining();
    if ((no_center || from == From::kMember) && !centers_itself && left > 1 && args_.take_word("FROMMEMBER")) {
      return take_center_member();
    }
    if ((no_center || from == From::kPoint) && !centers_itself && left > 2 && args_.take_word("FROMLONLAT")) {
      return take_center();
    }
    if ((no_area || request_.area == Area::kCircle) && left > 2 && args_.take_word("BYRADIUS")) return take_radius();
    if ((no_area || request_.area == Area::kBox) && left > 3 && args_.take_word("BYBOX")) return take_box();
    if (no_area && no_center && left > 2 && args_.take_word("BYPOLYGON")) return take_polygon();
    return fail(kSyntax);
  }

  bool set_order(Order order) {
    request_.order = order;
    return true;
  }

  bool take_count() {
    request_.count = args_.take<int64_t>();
    if (!args_.ok()) return fail(args_.error());
    return request_.count > 0 || fail(kCountPositive);
  }

  bool take_destination(bool stores_distance) {
    request_.destination = args_.take<Key>();
    request_.stores = true;
    request_.stores_distance = stores_distance;
    return true;
  }

  bool take_box() {
    const auto width = parse_double(args_.take<Bytes>());
    if (!width) return fail(kNumericWidth);
    const auto height = parse_double(args_.take<Bytes>());
    if (!height) return fail(kNumericHeight);
    if (*width < 0 || *height < 0) return fail(kNegativeSides);
    request_.unit_m = take_unit_m(args_);
    request_.width_m = *width * request_.unit_m;
    request_.height_m = *height * request_.unit_m;
    request_.area = Area::kBox;
    return args_.ok() || fail(args_.error());
  }

  bool take_polygon() {
    const auto count = parse_int64(args_.take<Bytes>());
    if (!count) return fail(kVertexCount);
    if (*count < 3 || static_cast<uint64_t>(*count) > args_.remaining() / 2) return fail(kTooFewVertices);
    request_.vertices.resize(static_cast<size_t>(*count));
    for (GeoPoint& vertex : request_.vertices) {
      if (!take_point(ctx_, args_, &vertex)) return false;
    }
    request_.unit_m = 1;
    request_.area = Area::kPolygon;
    return true;
  }

  bool check_combination() {
    const SearchRequest& request = request_;
    if (request.stores && (request.with_distance || request.with_hash || request.with_point)) {
      ctx_.reply().error("ERR " + std::string(request.is_search() ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS") +
                         " is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
      return false;
    }
    const std::string name(ctx_.argv()[0]);
    if (request.from == From::kNowhere && request.area != Area::kPolygon) {
      ctx_.reply().error("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + name);
      return false;
    }
    if (request.area == Area::kNone) {
      ctx_.reply().error("ERR exactly one of BYRADIUS and BYBOX can be specified for " + name);
      return false;
    }
    return !request.any || request.count > 0 || fail(kAnyWithoutCount);
  }

  CommandContext& ctx_;
  ArgReader& args_;
  const Source& source_;
  SearchRequest& request_;
};

GeoShape shape_of(SearchRequest& request) {
  if (request.area == Area::kPolygon) return GeoShape::polygon(std::move(request.vertices));
  if (request.area == Area::kBox) return GeoShape::box(request.center, request.width_m, request.height_m);
  return GeoShape::circle(request.center, request.width_m);
}

std::vector<FoundPlace> find_places(const ZsetValue& value, SearchRequest& request, KeptMembers& kept) {
  std::vector<FoundPlace> found;
  const GeoShape shape = shape_of(request);
  const GeoShape::Cover cover = shape.cover();
  const bool needs_distance = request.needs_distance();
  const size_t wanted = request.any ? static_cast<size_t>(request.count) : SIZE_MAX;
  for (size_t i = 0; i < cover.count && found.size() < wanted; i++) {
    const ScoreRange cell{static_cast<double>(cover.ranges[i].begin), static_cast<double>(cover.ranges[i].end), false,
                          true};
    value.visit_until(value.ranks(cell), [&](Bytes member, double score) {
      double distance_m = 0;
      if (shape.contains_score(score, needs_distance ? &distance_m : nullptr)) {
        found.push_back({kept.keep(member), score, distance_m, found.size()});
      }
      return found.size() < wanted;
    });
  }
  return found;
}

// Sorts, as far as the count needs it, and cuts off the rest. Places at one distance stay in the order of the search.
void select_places(std::vector<FoundPlace>& found, const SearchRequest& request) {
  const size_t count = request.count > 0 ? std::min(found.size(), static_cast<size_t>(request.count)) : found.size();
  const Order order = request.order_of_found();
  if (order != Order::kNone) {
    const auto precedes = [&](const FoundPlace& a, const FoundPlace& b) {
      if (a.distance_m != b.distance_m) return (a.distance_m < b.distance_m) == (order == Order::kNearest);
      return a.index < b.index;
    };
    const auto middle = found.begin() + static_cast<ptrdiff_t>(count);
    if (count < found.size()) std::nth_element(found.begin(), middle, found.end(), precedes);
    std::sort(found.begin(), middle, precedes);
  }
  found.resize(count);
}

void reply_places(ReplyWriter& reply, const std::vector<FoundPlace>& places, const SearchRequest& request) {
  const size_t extras = static_cast<size_t>(request.with_distance) + request.with_hash + request.with_point;
  reply.array(places.size());
  for (const FoundPlace& place : places) {
    if (extras > 0) reply.array(1 + extras);
    reply.bulk(place.member);
    if (request.with_distance) reply_distance(reply, place.distance_m / request.unit_m);
    if (request.with_hash) reply.integer(static_cast<int64_t>(place.score));
    if (request.with_point) reply_point(reply, geohash_decode_score(place.score));
  }
}

void search(CommandContext& ctx, ArgReader& args, Form form, bool by_member) {
  SearchRequest request{.form = form};
  if (form == Form::kSearchStore) {
    request.destination = args.take<Key>();
    request.stores = true;
  }
  const auto key = args.take<Key>();
  const Source value = ctx.keys().read<ZsetValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  SearchReader reader(ctx, args, value, request);
  if (!request.is_search()) {
    if (!reader.take_circle(by_member)) return;
  }
  if (!reader.take_options()) return;
  const Event event = request.is_search() ? Event::kGeoSearchStore : Event::kGeoRadiusStore;
  if (value.missing()) {
    if (request.stores) return store_and_reply(ctx, request.destination, new_result(ctx), event);
    return ctx.reply().empty_array();
  }
  KeptMembers kept(*value);
  std::vector<FoundPlace> places = find_places(*value, request, kept);
  select_places(places, request);
  if (!request.stores) return reply_places(ctx.reply(), places, request);
  ZsetStructure* built = new_result(ctx);
  for (const FoundPlace& place : places) {
    built->add_unordered(built->hashed(place.member),
                         request.stores_distance ? place.distance_m / request.unit_m : place.score);
  }
  built->put_in_order();
  store_and_reply(ctx, request.destination, built, event, built->size());
}

}  // namespace

namespace geo_commands {

void geosearch(CommandContext& ctx, ArgReader& args) { search(ctx, args, Form::kSearch, false); }
void geosearchstore(CommandContext& ctx, ArgReader& args) { search(ctx, args, Form::kSearchStore, false); }
void georadius(CommandContext& ctx, ArgReader& args) { search(ctx, args, Form::kRadius, false); }
void georadius_ro(CommandContext& ctx, ArgReader& args) { search(ctx, args, Form::kRadiusReadOnly, false); }
void georadiusbymember(CommandContext& ctx, ArgReader& args) { search(ctx, args, Form::kRadius, true); }
void georadiusbymember_ro(CommandContext& ctx, ArgReader& args) { search(ctx, args, Form::kRadiusReadOnly, true); }

}  // namespace geo_commands
}  // namespace larder
