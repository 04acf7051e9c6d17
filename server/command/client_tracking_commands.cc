// CLIENT TRACKING, CACHING, TRACKINGINFO and GETREDIR. What they set up is core/tracking.h's.

#include <string>
#include <vector>

#include "server/command/client_handlers.h"
#include "server/core/client_list.h"
#include "server/core/context.h"
#include "server/core/tracking.h"

namespace larder {
namespace {

constexpr ErrorText kOneRedirection{"ERR A client can only redirect to a single other client"};
constexpr ErrorText kNoRedirectionTarget{"ERR The client ID you want redirect to does not exist"};
constexpr ErrorText kPrefixNeedsBroadcast{"ERR PREFIX option requires BCAST mode to be enabled"};
constexpr ErrorText kNoSwitchOfBroadcast{
    "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a "
    "different mode."};
constexpr ErrorText kBroadcastExcludesOptions{"ERR OPTIN and OPTOUT are not compatible with BCAST"};
constexpr ErrorText kBothOptions{"ERR You can't specify both OPTIN mode and OPTOUT mode"};
constexpr ErrorText kNoSwitchOfOption{
    "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a "
    "different mode."};
constexpr ErrorText kCachingNeedsTracking{
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"};
constexpr ErrorText kCachingYesNeedsOptIn{
    "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."};
constexpr ErrorText kCachingNoNeedsOptOut{
    "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."};

struct TrackingRequest {
  bool on = false;
  uint32_t modes = 0;
  uint64_t redirection = 0;
  std::vector<Bytes> prefixes;
};

// The id behind REDIRECT, which must be a client's that is there.
uint64_t take_redirection(const ClientList& clients, ArgReader& args, uint64_t given_before) {
  if (args.at_end()) return args.fail(kSyntax), 0;
  if (given_before != 0) return args.fail(kOneRedirection), 0;
  const auto id = args.take<int64_t>();
  if (args.ok() && (id <= 0 || clients.find(static_cast<uint64_t>(id)) == nullptr)) args.fail(kNoRedirectionTarget);
  return args.ok() ? static_cast<uint64_t>(id) : 0;
}

TrackingRequest read_request(const ClientList& clients, ArgReader& args) {
  TrackingRequest request;
  const Bytes on_or_off = args.take<Bytes>();
  while (args.ok() && !args.at_end()) {
    if (args.take_word("REDIRECT")) {
      request.redirection = take_redirection(clients, args, request.redirection);
    } else if (args.take_word("BCAST")) {
      request.modes |= kTrackBroadcast;
    } else if (args.take_word("OPTIN")) {
      request.modes |= kTrackOptIn;
    } else if (args.take_word("OPTOUT")) {
      request.modes |= kTrackOptOut;
    } else if (args.take_word("NOLOOP")) {
      request.modes |= kTrackNoLoop;
    } else if (args.take_word("PREFIX") && !args.at_end()) {
      request.prefixes.push_back(args.take<Bytes>());
    } else {
      args.fail(kSyntax);
    }
  }
  request.on = equals_ignore_case(on_or_off, "ON");
  if (!request.on && !equals_ignore_case(on_or_off, "OFF")) args.fail(kSyntax);
  return request;
}

// What does not fit together, or to the mode that the client is in.
ErrorText conflict_of(const TrackingRequest& request, const TrackingState* state) {
  const bool broadcast = (request.modes & kTrackBroadcast) != 0;
  const bool opt_in = (request.modes & kTrackOptIn) != 0;
  const bool opt_out = (request.modes & kTrackOptOut) != 0;
  if (!broadcast && !request.prefixes.empty()) return kPrefixNeedsBroadcast;
  if (state != nullptr && ((state->modes & kTrackBroadcast) != 0) != broadcast) return kNoSwitchOfBroadcast;
  if (broadcast && (opt_in || opt_out)) return kBroadcastExcludesOptions;
  if (opt_in && opt_out) return kBothOptions;
  const uint32_t modes = state == nullptr ? 0 : state->modes;
  if ((opt_in && (modes & kTrackOptOut)) || (opt_out && (modes & kTrackOptIn))) return kNoSwitchOfOption;
  return {};
}

bool overlap(Bytes a, Bytes b) { return a.starts_with(b) || b.starts_with(a); }

std::string overlap_error(Bytes prefix, Bytes other, Bytes kind) {
  return "ERR Prefix '" + std::string(prefix) + "' overlaps with " + std::string(kind) + " prefix '" +
         std::string(other) + "'. Prefixes for a single client must not overlap.";
}

// A key must not be told twice because two prefixes of a client fit. Empty: none overlap.
std::string find_overlap(const std::vector<Bytes>& prefixes, const TrackingState* state) {
  for (size_t i = 0; i < prefixes.size(); ++i) {
    if (state != nullptr) {
      for (const std::string& existing : state->prefixes) {
        if (overlap(prefixes[i], existing)) return overlap_error(prefixes[i], existing, "an existing");
      }
    }
    for (size_t j = i + 1; j < prefixes.size(); ++j) {
      if (overlap(prefixes[i], prefixes[j])) return overlap_error(prefixes[i], prefixes[j], "another provided");
    }
  }
  return {};
}

void add_flag(ReplyWriter& reply, size_t& count, bool on, Bytes word) {
  if (!on) return;
  reply.bulk(word);
  ++count;
}

void write_flags(ReplyWriter& reply, const TrackingState* state) {
  const auto mark = reply.begin_deferred();
  size_t count = 0;
  add_flag(reply, count, state == nullptr, "off");
  if (state != nullptr) {
    const bool opt_in = (state->modes & kTrackOptIn) != 0;
    const bool opt_out = (state->modes & kTrackOptOut) != 0;
    add_flag(reply, count, true, "on");
    add_flag(reply, count, state->modes & kTrackBroadcast, "bcast");
    add_flag(reply, count, opt_in, "optin");
    add_flag(reply, count, opt_in && state->caching_given, "caching-yes");
    add_flag(reply, count, opt_out, "optout");
    add_flag(reply, count, opt_out && state->caching_given, "caching-no");
    add_flag(reply, count, state->modes & kTrackNoLoop, "noloop");
    add_flag(reply, count, state->redirection_broken, "broken_redirect");
  }
  reply.end_deferred_set(mark, count);
}

// -1: does not track; 0: to itself.
int64_t redirection_of(const Client& client) {
  return client.tracking ? static_cast<int64_t>(client.tracking->redirection) : -1;
}

}  // namespace

void client_tracking(CommandContext& ctx, ArgReader& args) {
  Client& client = ctx.client();
  const TrackingRequest request = read_request(ctx.services().clients, args);
  if (!args.done(ctx.reply())) return;
  if (!request.on) {
    ctx.services().tracking.disable(client);
    return ctx.reply().ok();
  }
  const ErrorText conflict = conflict_of(request, client.tracking.get());
  if (conflict) return ctx.reply().error(conflict);
  const std::string overlapping = find_overlap(request.prefixes, client.tracking.get());
  if (!overlapping.empty()) return ctx.reply().error(Bytes(overlapping));
  ctx.services().tracking.enable(client, request.modes, request.redirection, request.prefixes);
  ctx.reply().ok();
}

void client_caching(CommandContext& ctx, ArgReader& args) {
  TrackingState* state = ctx.client().tracking.get();
  if (state == nullptr) return ctx.reply().error(kCachingNeedsTracking);
  const bool yes = args.take_word("YES");
  if (!yes && !args.take_word("NO")) args.fail(kSyntax);
  if (!args.done(ctx.reply())) return;
  if (yes && !(state->modes & kTrackOptIn)) return ctx.reply().error(kCachingYesNeedsOptIn);
  if (!yes && !(state->modes & kTrackOptOut)) return ctx.reply().error(kCachingNoNeedsOptOut);
  state->caching_given = true;
  ctx.reply().ok();
}

void client_trackinginfo(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  const TrackingState* state = ctx.client().tracking.get();
  ReplyWriter& reply = ctx.reply();
  reply.map(3);
  reply.bulk("flags");
  write_flags(reply, state);
  reply.bulk("redirect");
  reply.integer(redirection_of(ctx.client()));
  reply.bulk("prefixes");
  reply.array(state == nullptr ? 0 : state->prefixes.size());
  if (state == nullptr) return;
  for (const std::string& prefix : state->prefixes) reply.bulk(prefix);
}

void client_getredir(CommandContext& ctx, ArgReader& args) {
  if (args.done(ctx.reply())) ctx.reply().integer(redirection_of(ctx.client()));
}

}  // namespace larder
