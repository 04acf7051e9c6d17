#include "server/config/option_specials.h"

#include <algorithm>
#include <cstdio>

#include "base/number_text.h"
#include "server/config/invalid.h"
#include "server/config/memory_text.h"
#include "server/core/events.h"

namespace larder {
namespace {

std::string join(std::span<const std::string> parts, char separator = ' ') {
  std::string all;
  for (const std::string& part : parts) {
    if (!all.empty()) all += separator;
    all += part;
  }
  return all;
}

bool is_none(std::span<const Bytes> words) { return words.size() == 1 && words[0].empty(); }

// The value of an option that is accepted without effect and has no common type.
Bytes accepted_text(const Settings& settings, Bytes name, Bytes default_text) {
  const auto found = settings.accepted.find(name);
  return found == settings.accepted.end() ? default_text : Bytes(found->second);
}

// ---- bind: addresses; a leading '-' means that the address may be missing

constexpr size_t kBindAddressesMax = 16;

Status read_bind(std::span<const Bytes> words, Settings& settings) {
  if (words.size() > kBindAddressesMax) return invalid("Too many bind addresses specified.");
  if (is_none(words)) words = {};
  settings.bind.assign(words.begin(), words.end());
  return {};
}
std::string write_bind(const Settings& settings) { return join(settings.bind); }

// ---- hz: any number, kept within what is sensible

constexpr int64_t kHzMin = 1;
constexpr int64_t kHzMax = 500;

Status read_hz(std::span<const Bytes> words, Settings& settings) {
  if (words.size() != 1) return invalid("wrong number of arguments");
  const auto value = parse_int64(words[0]);
  if (!value) return invalid("argument couldn't be parsed into an integer");
  if (*value < 0 || *value > INT32_MAX) return invalid("argument must be between 0 and 2147483647 inclusive");
  settings.hz = std::clamp(*value, kHzMin, kHzMax);
  return {};
}
std::string write_hz(const Settings& settings) { return to_text(settings.hz); }

// ---- save: pairs of seconds and changes; the empty text turns snapshots off

Status parse_save_points(std::span<const Bytes> words, std::vector<SavePoint>& points) {
  points.clear();
  if (is_none(words)) return {};
  if (words.empty() || words.size() % 2 != 0) return invalid("Invalid save parameters");
  for (size_t i = 0; i < words.size(); i += 2) {
    const auto seconds = parse_int64(words[i]);
    const auto changes = parse_int64(words[i + 1]);
    if (!seconds || !changes || *seconds < 1 || *changes < 0) return invalid("Invalid save parameters");
    points.push_back({*seconds, *changes});
  }
  return {};
}

Status read_save(std::span<const Bytes> words, Settings& settings) {
  std::vector<SavePoint> points;
  LARDER_TRY(parse_save_points(words, points));
  settings.save_points = std::move(points);
  return {};
}
// Lines of a file add up, but for `save ""`, which forgets those before it.
Status read_more_save(std::span<const Bytes> words, Settings& settings) {
  if (is_none(words)) return read_save(words, settings);
  std::vector<SavePoint> points;
  LARDER_TRY(parse_save_points(words, points));
  settings.save_points.insert(settings.save_points.end(), points.begin(), points.end());
  return {};
}
std::vector<std::string> save_lines(const Settings& settings) {
  std::vector<std::string> lines;
  for (const SavePoint& point : settings.save_points) {
    lines.push_back(to_text(point.seconds) + " " + to_text(point.changes));
  }
  if (lines.empty()) lines.emplace_back("\"\"");
  return lines;
}
std::string write_save(const Settings& settings) {
  return settings.save_points.empty() ? std::string() : join(save_lines(settings));
}

// ---- client-output-buffer-limit: class, hard limit, soft limit, seconds; any number of classes at once

constexpr Bytes kClassNames[kClientClassCount] = {"normal", "slave", "pubsub"};

std::optional<size_t> class_of(Bytes name) {
  if (equals_ignore_case(name, "replica")) return static_cast<size_t>(ClientClass::kReplica);
  for (size_t i = 0; i < kClientClassCount; ++i) {
    if (equals_ignore_case(name, kClassNames[i])) return i;
  }
  return {};
}

Status read_output_limits(std::span<const Bytes> words, Settings& settings) {
  if (is_none(words)) words = {};
  if (words.size() % 4 != 0) {
    return invalid("Wrong number of arguments in buffer limit configuration.");
  }
  auto limits = settings.output_limits;
  for (size_t i = 0; i < words.size(); i += 4) {
    const auto kind = class_of(words[i]);
    if (!kind) return invalid("Invalid client class specified in buffer limit configuration.");
    const auto hard = parse_memory(words[i + 1]);
    const auto soft = parse_memory(words[i + 2]);
    const auto seconds = parse_int64(words[i + 3]);
    if (!hard || !soft || !seconds || *seconds < 0 || *seconds > INT32_MAX) {
      return invalid("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
    }
    limits[*kind] = {*hard, *soft, *seconds};
  }
  settings.output_limits = limits;
  return {};
}
std::vector<std::string> output_limit_lines(const Settings& settings) {
  std::vector<std::string> lines;
  for (size_t i = 0; i < kClientClassCount; ++i) {
    const OutputLimit& limit = settings.output_limits[i];
    lines.push_back(std::string(kClassNames[i]) + " " + to_text(limit.hard_bytes) + " " + to_text(limit.soft_bytes) +
                    " " + to_text(limit.soft_seconds));
  }
  return lines;
}
std::string write_output_limits(const Settings& settings) { return join(output_limit_lines(settings)); }

// ---- oom-score-adj-values: for the primary, replicas, and children

constexpr Bytes kOomValuesName = "oom-score-adj-values";
constexpr Bytes kOomValuesDefault = "0 200 800";
constexpr size_t kOomValueCount = 3;
constexpr int64_t kOomValueMax = 2000;

Status read_oom_values(std::span<const Bytes> words, Settings& settings) {
  if (words.size() != kOomValueCount) return invalid("wrong number of arguments");
  std::string kept;
  for (const Bytes word : words) {
    const auto value = parse_int64(word);
    if (!value || *value < -kOomValueMax || *value > kOomValueMax) {
      return invalid("Invalid oom-score-adj-values, elements must be between -2000 and 2000.");
    }
    if (!kept.empty()) kept += ' ';
    kept += to_text(*value);
  }
  settings.accepted.insert_or_assign(std::string(kOomValuesName), std::move(kept));
  return {};
}
std::string write_oom_values(const Settings& settings) {
  return std::string(accepted_text(settings, kOomValuesName, kOomValuesDefault));
}

// ---- replicaof: host and port, or "no one"

constexpr Bytes kReplicaofName = "replicaof";
constexpr int64_t kPortMax = 65535;

Status read_replicaof(std::span<const Bytes> words, Settings& settings) {
  if (is_none(words)) {
    settings.accepted.erase(std::string(kReplicaofName));
    return {};
  }
  if (words.size() != 2) return invalid("wrong number of arguments");
  if (equals_ignore_case(words[0], "no") && equals_ignore_case(words[1], "one")) {
    settings.accepted.erase(std::string(kReplicaofName));
    return {};
  }
  const auto port = parse_int64(words[1]);
  if (!port || *port < 0 || *port > kPortMax) return invalid("Invalid master port");
  settings.accepted.insert_or_assign(std::string(kReplicaofName), std::string(words[0]) + " " + to_text(*port));
  return {};
}
std::string write_replicaof(const Settings& settings) {
  return std::string(accepted_text(settings, kReplicaofName, {}));
}

// ---- latency-tracking-info-percentiles

Status read_percentiles(std::span<const Bytes> words, Settings& settings) {
  std::vector<double> percentiles;
  if (is_none(words)) words = {};
  for (const Bytes word : words) {
    const auto value = parse_double(word);
    if (!value) return invalid("Invalid latency-tracking-info-percentiles parameters");
    if (*value < 0 || *value > 100) {
      return invalid("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
    }
    percentiles.push_back(*value);
  }
  settings.latency_tracking_percentiles = std::move(percentiles);
  return {};
}
std::string write_percentiles(const Settings& settings) {
  std::string all;
  for (const double percentile : settings.latency_tracking_percentiles) {
    char text[32];
    std::snprintf(text, sizeof text, "%.10g", percentile);
    if (!all.empty()) all += ' ';
    all += text;
  }
  return all;
}

// ---- notify-keyspace-events

Status read_notify(std::span<const Bytes> words, Settings& settings) {
  if (words.size() != 1) return invalid("wrong number of arguments");
  if (!parse_notify_classes(words[0], settings.notify_classes)) {
    return invalid("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
  }
  return {};
}
std::string write_notify(const Settings& settings) {
  char text[24];
  return std::string(write_notify_classes(settings.notify_classes, text));
}

}  // namespace

const SpecialOption kBindOption = {read_bind, write_bind};
const SpecialOption kHzOption = {read_hz, write_hz};
const SpecialOption kSaveOption = {read_save, write_save, save_lines, read_more_save};
const SpecialOption kOutputLimitOption = {read_output_limits, write_output_limits, output_limit_lines};
const SpecialOption kOomScoreValuesOption = {read_oom_values, write_oom_values};
const SpecialOption kReplicaofOption = {read_replicaof, write_replicaof};
const SpecialOption kPercentilesOption = {read_percentiles, write_percentiles};
const SpecialOption kNotifyOption = {read_notify, write_notify};

}  // namespace larder
