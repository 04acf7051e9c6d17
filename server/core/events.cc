#include "server/core/events.h"

#include <array>

namespace larder {
namespace {

constexpr std::array<EventFacts, static_cast<size_t>(Event::kCount)> kFacts = {{
    {"set", kNotifyString},
    {"set", kNotifyString, Event::kExpire},
    {"append", kNotifyString},
    {"incrby", kNotifyString},
    {"incrbyfloat", kNotifyString},
    {"setrange", kNotifyString},
    {"del", kNotifyGeneric},  // GETDEL tells a plain deletion
    {"del", kNotifyGeneric},
    {"expire", kNotifyGeneric},
    {"persist", kNotifyGeneric},
    {"rename_from", kNotifyGeneric},
    {"rename_to", kNotifyGeneric},
    {"copy_to", kNotifyGeneric},
    {"move_from", kNotifyGeneric},
    {"move_to", kNotifyGeneric},
    {"restore", kNotifyGeneric},
    {"expired", kNotifyExpired},
    {"evicted", kNotifyEvicted},
    {"lpush", kNotifyList},
    {"rpush", kNotifyList},
    {"lpop", kNotifyList},
    {"rpop", kNotifyList},
    {"linsert", kNotifyList},
    {"lset", kNotifyList},
    {"lrem", kNotifyList},
    {"ltrim", kNotifyList},
    {"sortstore", kNotifyList},
    {"sadd", kNotifySet},
    {"srem", kNotifySet},
    {"spop", kNotifySet},
    {"sinterstore", kNotifySet},
    {"sunionstore", kNotifySet},
    {"sdiffstore", kNotifySet},
    {"hset", kNotifyHash},
    {"hincrby", kNotifyHash},
    {"hincrbyfloat", kNotifyHash},
    {"hdel", kNotifyHash},
    {"hexpire", kNotifyHash},
    {"hexpired", kNotifyHash},
    {"hpersist", kNotifyHash},
    {"zadd", kNotifyZset},
    {"zincr", kNotifyZset},
    {"zrem", kNotifyZset},
    {"zremrangebyscore", kNotifyZset},
    {"zremrangebyrank", kNotifyZset},
    {"zremrangebylex", kNotifyZset},
    {"zdiffstore", kNotifyZset},
    {"zinterstore", kNotifyZset},
    {"zunionstore", kNotifyZset},
    {"zrangestore", kNotifyZset},
    {"zpopmin", kNotifyZset},
    {"zpopmax", kNotifyZset},
    {"geosearchstore", kNotifyZset},
    {"georadiusstore", kNotifyZset},
    {"xadd", kNotifyStream},
    {"xtrim", kNotifyStream},
    {"xdel", kNotifyStream},
    {"xsetid", kNotifyStream},
    {"xgroup-create", kNotifyStream},
    {"xgroup-createconsumer", kNotifyStream},
    {"xgroup-delconsumer", kNotifyStream},
    {"xgroup-destroy", kNotifyStream},
    {"xgroup-setid", kNotifyStream},
    {"setbit", kNotifyString},
    {"pfadd", kNotifyString},
    {"", kNotifyNone},
    {"new", kNotifyNew},
    {"keymiss", kNotifyMiss},
}};

struct ClassLetter {
  char letter;
  uint32_t classes;
};

// In the order in which the canonical text lists them.
constexpr ClassLetter kLetters[] = {
    {'g', kNotifyGeneric}, {'$', kNotifyString}, {'l', kNotifyList},    {'s', kNotifySet},
    {'h', kNotifyHash},    {'z', kNotifyZset},   {'x', kNotifyExpired}, {'e', kNotifyEvicted},
    {'t', kNotifyStream},  {'d', kNotifyModule}, {'n', kNotifyNew},
};

}  // namespace

const EventFacts& facts_of(Event event) { return kFacts[static_cast<size_t>(event)]; }

bool parse_notify_classes(Bytes text, uint32_t& classes) {
  uint32_t parsed = 0;
  for (const char letter : text) {
    switch (letter) {
      case 'A':
        parsed |= kNotifyAll;
        continue;
      case 'K':
        parsed |= kNotifyKeyspace;
        continue;
      case 'E':
        parsed |= kNotifyKeyevent;
        continue;
      case 'm':
        parsed |= kNotifyMiss;
        continue;
      default:
        break;
    }
    bool known = false;
    for (const ClassLetter& entry : kLetters) {
      if (entry.letter != letter) continue;
      parsed |= entry.classes;
      known = true;
    }
    if (!known) return false;
  }
  classes = parsed;
  return true;
}

Bytes write_notify_classes(uint32_t classes, char (&out)[24]) {
  size_t size = 0;
  if ((classes & kNotifyAll) == kNotifyAll) {
    out[size++] = 'A';
    if (classes & kNotifyNew) out[size++] = 'n';
  } else {
    for (const ClassLetter& entry : kLetters) {
      if (classes & entry.classes) out[size++] = entry.letter;
    }
  }
  if (classes & kNotifyKeyspace) out[size++] = 'K';
  if (classes & kNotifyKeyevent) out[size++] = 'E';
  if (classes & kNotifyMiss) out[size++] = 'm';
  return {out, size};
}

}  // namespace larder
