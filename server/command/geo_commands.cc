// The geo family: its rows, and the commands on single places. A place is a member of a sorted set whose score is the
// 52-bit geohash of its longitude and latitude.

#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "base/number_text.h"
#include "server/command/families.h"
#include "server/command/geo_handlers.h"
#include "server/command/zset_arguments.h"
#include "server/core/command_spec.h"
#include "storage/zset_value.h"

namespace larder {
namespace {

namespace gc = geo_commands;

constexpr CommandSpec kGeoRows[] = {
    {"geoadd", -5, kWrite | kDenyOom | kItemAt4, Acl::kGeo, key_specs("RW+UPDATE@i1:range(0,1,0)"), gc::geoadd},
    {"geodist", -4, kReadonly, Acl::kGeo, key_specs("RO+ACCESS@i1:range(0,1,0)"), gc::geodist},
    {"geohash", -2, kReadonly, Acl::kGeo, key_specs("RO+ACCESS@i1:range(0,1,0)"), gc::geohash},
    {"geopos", -2, kReadonly, Acl::kGeo, key_specs("RO+ACCESS@i1:range(0,1,0)"), gc::geopos},
    {"georadius", -6, kWrite | kDenyOom, Acl::kGeo,
     key_specs("RO+ACCESS@i1:range(0,1,0);OW+UPDATE+VARIABLE_FLAGS@kw:STORE@6:range(0,1,0);"
               "OW+UPDATE+VARIABLE_FLAGS@kw:STOREDIST@6:range(0,1,0)"),
     gc::georadius},
    {"georadius_ro", -6, kReadonly, Acl::kGeo, key_specs("RO+ACCESS@i1:range(0,1,0)"), gc::georadius_ro},
    {"georadiusbymember", -5, kWrite | kDenyOom, Acl::kGeo,
     key_specs("RO+ACCESS@i1:range(0,1,0);OW+UPDATE+VARIABLE_FLAGS@kw:STORE@5:range(0,1,0);"
               "OW+UPDATE+VARIABLE_FLAGS@kw:STOREDIST@5:range(0,1,0)"),
     gc::georadiusbymember},
    {"georadiusbymember_ro", -5, kReadonly, Acl::kGeo, key_specs("RO+ACCESS@i1:range(0,1,0)"),
     gc::georadiusbymember_ro},
    {"geosearch", -7, kReadonly, Acl::kGeo, key_specs("RO+ACCESS@i1:range(0,1,0)"), gc::geosearch},
    {"geosearchstore", -8, kWrite | kDenyOom, Acl::kGeo,
     key_specs("OW+UPDATE@i1:range(0,1,0);RO+ACCESS@i2:range(0,1,0)"), gc::geosearchstore},
};

constexpr ErrorText kUnknownUnit{"ERR unsupported unit provided. please use M, KM, FT, MI"};

}  // namespace

extern const CommandFamily kGeoFamily{"geo", kGeoRows, kGeoDocs};

namespace geo_commands {

bool take_point(CommandContext& ctx, ArgReader& args, GeoPoint* point) {
  const auto [longitude, latitude] = args.take<Double, Double>();
  if (!args.ok()) {
    ctx.reply().error(args.error());
    return false;
  }
  *point = {longitude.value, latitude.value};
  if (point->is_valid()) return true;
  char text[800];  // two doubles of up to 317 characters
  const int size =
      std::snprintf(text, sizeof(text), "ERR invalid longitude,latitude pair %f,%f", point->longitude, point->latitude);
  ctx.reply().error(Bytes(text, static_cast<size_t>(size)));
  return false;
}

double take_unit_m(ArgReader& args) {
  if (args.take_word("M")) return 1;
  if (args.take_word("KM")) return 1000;
  if (args.take_word("FT")) return 0.3048;
  if (args.take_word("MI")) return 1609.34;
  args.fail(kUnknownUnit);
  return 1;
}

void reply_distance(ReplyWriter& reply, double distance) {
  constexpr double kScale = 1e4;
  constexpr double kScaledMax = 1e15;  // whatever is between two places on earth is far below
  char text[400];
  const double scaled = distance * kScale;
  if (!(scaled >= 0 && scaled < kScaledMax)) {
    const int size = std::snprintf(text, sizeof(text), "%.4f", distance);
    return reply.bulk(Bytes(text, static_cast<size_t>(size)));
  }
  const auto whole = static_cast<uint64_t>(std::llrint(scaled));
  size_t size = write_uint64(text, whole / 10'000);
  text[size++] = '.';
  for (uint64_t digit = 1000; digit > 0; digit /= 10) text[size++] = static_cast<char>('0' + whole / digit % 10);
  reply.bulk(Bytes(text, size));
}

void reply_point(ReplyWriter& reply, GeoPoint point) {
  reply.array(2);
  for (const double coordinate : {point.longitude, point.latitude}) {
    // 17 decimals, which is more than a double_value() has.
    char text[64];
    const Bytes digits(text, write_long_double_human(text, coordinate));
    if (!reply.resp3()) {
      reply.bulk(digits);
      continue;
    }
    reply.raw(",");
    reply.raw(digits);
    reply.raw("\r\n");
  }
}

void geoadd(CommandContext& ctx, ArgReader& args) {
  const auto key = args.take<Key>();
  ZsetRule rule;
  bool counts_updates = false;
  for (;;) {
    if (args.take_word("NX")) {
      rule.only_new = true;
    } else if (args.take_word("XX")) {
      rule.only_existing = true;
    } else if (args.take_word("CH")) {
      counts_updates = true;
    } else {
      break;
    }
  }
  if (args.remaining() % 3 != 0 || args.at_end() || (rule.only_new && rule.only_existing)) {
    return ctx.reply().error(kSyntax);
  }
  std::vector<ScoredBytes> members;
  members.reserve(args.remaining() / 3);
  while (!args.at_end()) {
    GeoPoint point;
    if (!take_point(ctx, args, &point)) return;
    members.push_back({static_cast<double>(geohash_encode(point)), args.take<Bytes>()});
  }
  put_and_reply_count(ctx, key, members, rule, counts_updates);
}

void geodist(CommandContext& ctx, ArgReader& args) {
  const auto [key, from, to] = args.take<Key, Bytes, Bytes>();
  if (args.remaining() > 1) args.fail(kSyntax);
  const double unit_m = args.ok() && !args.at_end() ? take_unit_m(args) : 1;
  if (!args.done(ctx.reply())) return;
  const auto value = ctx.keys().read<ZsetValue>(key);
  if (value.wrong_type()) return ctx.reply().error(kWrongType);
  const auto from_score = value ? value->score(from) : std::nullopt;
  const auto to_score = from_score ? value->score(to) : std::nullopt;
  if (!to_score) return ctx.reply().null();
  reply_distance(ctx.reply(),
                 geo_distance_m(geohash_decode_score(*from_score), geohash_decode_score(*to_score)) / unit_m);
}

void geohash(CommandContext& ctx, ArgReader& args) {
  ReplyWriter& reply = ctx.reply();
  const auto reply_text = [&](double score) {
    char text[kGeohashTextBytes];
    write_geohash_text(geohash_decode_score(score), text);
    reply.bulk(Bytes(text, sizeof(text)));
  };
  reply_members(ctx, args, reply_text, [&] { reply.null(); });
}

void geopos(CommandContext& ctx, ArgReader& args) {
  ReplyWriter& reply = ctx.reply();
  const auto reply_place = [&](double score) { reply_point(reply, geohash_decode_score(score)); };
  reply_members(ctx, args, reply_place, [&] { reply.null_array(); });
}

}  // namespace geo_commands
}  // namespace larder
