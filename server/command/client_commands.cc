// CLIENT and its subcommands.

#include <algorithm>
#include <string>

#include "base/number_text.h"
#include "server/command/client_filter.h"
#include "server/command/client_handlers.h"
#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/command/help_reply.h"
#include "server/core/client_list.h"
#include "server/core/context.h"
#include "server/core/dispatcher.h"
#include "server/core/pause.h"
#include "server/core/pubsub.h"
#include "server/core/wake_up.h"
#include "server/observe/client_text.h"

namespace larder {
namespace {

void client_id(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  ctx.reply().integer(static_cast<int64_t>(ctx.client().id));
}

void client_info(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  std::string text;
  append_client_line(text, ctx.client(), ctx.now_ms());
  ctx.reply().verbatim("txt", text);
}

// Those of the clients it names that there are, in its order.
std::vector<Client*> named_clients(CommandContext& ctx, const ClientFilter& filter) {
  std::vector<Client*> named;
  for (const int64_t id : filter.ids()) {
    if (Client* client = ctx.services().clients.find(static_cast<uint64_t>(id))) named.push_back(client);
  }
  return named;
}

void client_list(CommandContext& ctx, ArgReader& args) {
  ClientFilter filter(ClientFilter::Use::kList);
  std::string error;
  if (!filter.parse(args, error)) return ctx.reply().error(Bytes(error));
  std::string text;
  const bool is_named = !filter.ids().empty();
  for (const Client* client : is_named ? named_clients(ctx, filter) : ctx.services().clients.by_age()) {
    if (filter.matches(*client, ctx.client(), ctx.now_ms())) append_client_line(text, *client, ctx.now_ms());
  }
  ctx.reply().verbatim("txt", text);
}

void client_getname(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  if (ctx.client().name.empty()) return ctx.reply().null();
  ctx.reply().bulk(ctx.client().name);
}

void client_setname(CommandContext& ctx, ArgReader& args) {
  const Bytes name = args.take<Bytes>();
  if (!args.done(ctx.reply())) return;
  if (!is_listable(name)) return ctx.reply().error(kClientName);
  ctx.client().name = name;
  ctx.reply().ok();
}

void client_setinfo(CommandContext& ctx, ArgReader& args) {
  const auto [attribute, value] = args.take<Bytes, Bytes>();
  if (!args.done(ctx.reply())) return;
  const bool is_name = equals_ignore_case(attribute, "lib-name");
  if (!is_name && !equals_ignore_case(attribute, "lib-ver")) {
    return ctx.reply().error(Bytes("ERR Unrecognized option '" + std::string(attribute) + "'"));
  }
  if (!is_listable(value)) {
    const std::string shown = is_name ? "lib-name" : "lib-ver";
    return ctx.reply().error(Bytes("ERR " + shown + " cannot contain spaces, newlines or special characters."));
  }
  (is_name ? ctx.client().lib_name : ctx.client().lib_version) = value;
  ctx.reply().ok();
}

// Closes the clients that the filter means, and returns how many. Who kills himself still gets the answer.
size_t close_matching(CommandContext& ctx, const ClientFilter& filter) {
  size_t count = 0;
  const auto close_if_meant = [&](Client& client) {
    if (!filter.matches(client, ctx.client(), ctx.now_ms())) return;
    ++count;
    if (&client == &ctx.client()) return client.close_after_reply();
    // Its connection ends with the tick, but it is no subscriber any more.
    ctx.services().pubsub.forget(client);
    client.close_now();
  };
  if (filter.ids().empty()) {
    for (const auto& client : ctx.services().clients.all()) close_if_meant(*client);
  } else {
    for (Client* client : named_clients(ctx, filter)) close_if_meant(*client);
  }
  return count;
}

void client_kill(CommandContext& ctx, ArgReader& args) {
  const bool by_address_only = args.remaining() == 1;
  ClientFilter filter(ClientFilter::Use::kKill);
  std::string error;
  if (by_address_only) {
    const Bytes as_filter[] = {"ADDR", args.take<Bytes>()};
    ArgReader address(as_filter);
    if (!filter.parse(address, error)) return ctx.reply().error(Bytes(error));
    if (close_matching(ctx, filter) == 0) return ctx.reply().error(kNoSuchClient);
    return ctx.reply().ok();
  }
  filter.set_skip_self(true);
  if (!filter.parse(args, error)) return ctx.reply().error(Bytes(error));
  ctx.reply().integer(static_cast<int64_t>(close_matching(ctx, filter)));
}

// ON or OFF for a flag of the client.
void switch_flag(CommandContext& ctx, ArgReader& args, ClientFlag flag) {
  const bool on = args.take_word("ON");
  if (!on && !args.take_word("OFF")) args.fail(kSyntax);
  if (!args.done(ctx.reply())) return;
  uint32_t& flags = ctx.client().flags;
  flags = on ? flags | flag : flags & ~flag;
  ctx.reply().ok();
}

void client_no_evict(CommandContext& ctx, ArgReader& args) { switch_flag(ctx, args, kClientNoEvict); }
void client_no_touch(CommandContext& ctx, ArgReader& args) { switch_flag(ctx, args, kClientNoTouch); }

void client_reply(CommandContext& ctx, ArgReader& args) {
  const bool on = args.take_word("ON");
  const bool off = !on && args.take_word("OFF");
  if (!on && !off && !args.take_word("SKIP")) args.fail(kSyntax);
  if (!args.done(ctx.reply())) return;
  Client& client = ctx.client();
  if (on) {
    client.flags &= ~(kClientReplyOff | kClientReplySkip | kClientReplySkipNext);
    client.gate &= ~kGateReply;
    return ctx.reply().ok();
  }
  if (!off && (client.flags & kClientReplyOff)) return;
  client.flags |= off ? kClientReplyOff : kClientReplySkipNext;
  client.gate |= kGateReply;
}

constexpr ErrorText kPauseMode{"ERR CLIENT PAUSE mode must be WRITE or ALL"};
constexpr ErrorText kUnblockReason{"ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"};
constexpr int64_t kPauseMsMax = INT64_MAX / 2;
constexpr ErrorText kPauseNotInteger{"ERR timeout is not an integer or out of range"};

void client_pause(CommandContext& ctx, ArgReader& args) {
  if (args.remaining() > 2) return ctx.reply().error(Bytes(subcommand_syntax_error("client", ctx.argv()[1])));
  const int64_t timeout_ms = args.take_int(0, INT64_MAX, kTimeoutNegative, kPauseNotInteger);
  if (timeout_ms > kPauseMsMax) args.fail(kTimeoutOutOfRange);
  PauseState::Mode mode = PauseState::Mode::kAll;
  if (args.take_word("WRITE")) {
    mode = PauseState::Mode::kWrite;
  } else if (!args.at_end() && !args.take_word("ALL")) {
    return ctx.reply().error(kPauseMode);
  }
  if (!args.done(ctx.reply())) return;
  // A pause that is running is never shortened, nor does it let through what it held.
  PauseState& pause = ctx.services().pause;
  const PauseState running = pause.active(ctx.now_ms()) ? pause : PauseState{};
  pause.until_ms = std::max(running.until_ms, ctx.now_ms() + timeout_ms);
  pause.mode = std::max(running.mode, mode);
  ctx.services().store.pause_removal(true);
  ctx.dispatcher().set_gate(kServerPaused, true);
  ctx.reply().ok();
}

void client_unpause(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  // The server notices that the pause is over and lets the held clients go on.
  ctx.services().pause = PauseState{};
  ctx.reply().ok();
}

void client_unblock(CommandContext& ctx, ArgReader& args) {
  if (args.remaining() > 2) return ctx.reply().error(Bytes(subcommand_syntax_error("client", ctx.argv()[1])));
  const int64_t id = args.take<int64_t>();
  UnblockReply how = UnblockReply::kAsTimedOut;
  if (args.take_word("ERROR")) {
    how = UnblockReply::kError;
  } else if (!args.at_end() && !args.take_word("TIMEOUT")) {
    args.fail(kUnblockReason);
  }
  if (!args.done(ctx.reply())) return;
  Client* client = ctx.services().clients.find(static_cast<uint64_t>(id));
  const bool waits = client != nullptr && client->blocked != nullptr;
  if (waits) unblock(ctx.services(), ctx.dispatcher(), *client, how);
  ctx.reply().integer(waits ? 1 : 0);
}

// What a client says that it understands; only CLIENT LIST shows it, and unknown words are welcome.
void client_capa(CommandContext& ctx, ArgReader& args) {
  for (const Bytes word : args.rest()) {
    if (equals_ignore_case(word, "redirect")) ctx.client().flags |= kClientCapaRedirect;
  }
  ctx.reply().ok();
}

constexpr CommandSpec kClientSubRows[] = {
    {.name = "id",
     .arity = 2,
     .flags = kAllowBusy | kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = client_id},
    {.name = "info",
     .arity = 2,
     .flags = kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = client_info,
     .tips = "nondeterministic_output"},
    {.name = "list",
     .arity = -2,
     .flags = kAdmin | kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = client_list,
     .tips = "nondeterministic_output"},
    {.name = "getname",
     .arity = 2,
     .flags = kAllowBusy | kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = client_getname},
    {.name = "setname",
     .arity = 3,
     .flags = kAllowBusy | kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = client_setname,
     .tips = "request_policy:all_nodes,response_policy:all_succeeded"},
    {.name = "setinfo",
     .arity = 4,
     .flags = kAllowBusy | kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = client_setinfo,
     .tips = "request_policy:all_nodes,response_policy:all_succeeded"},
    {.name = "kill",
     .arity = -3,
     .flags = kAdmin | kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = client_kill},
    {.name = "no-evict",
     .arity = 3,
     .flags = kAllowBusy | kAdmin | kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = client_no_evict},
    {.name = "no-touch",
     .arity = 3,
     .flags = kAllowBusy | kNotInScripts | kWhileLoading | kWhileStale,
     .acl = Acl::kConnection,
     .run = client_no_touch},
    {.name = "reply",
     .arity = 3,
     .flags = kAllowBusy | kNotInScripts | kNoMulti | kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = client_reply},
    {.name = "pause",
     .arity = -3,
     .flags = kAdmin | kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = client_pause},
    {.name = "unpause",
     .arity = 2,
     .flags = kAdmin | kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = client_unpause},
    {.name = "unblock",
     .arity = -3,
     .flags = kAdmin | kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = client_unblock},
    {.name = "tracking",
     .arity = -3,
     .flags = kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = client_tracking},
    {.name = "caching",
     .arity = 3,
     .flags = kAllowBusy | kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = client_caching},
    {.name = "getredir",
     .arity = 2,
     .flags = kAllowBusy | kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = client_getredir},
    {.name = "trackinginfo",
     .arity = 2,
     .flags = kNotInScripts | kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = client_trackinginfo},
    {.name = "capa",
     .arity = -3,
     .flags = kAllowBusy | kNotInScripts | kWhileLoading | kWhileStale,
     .acl = Acl::kConnection,
     .run = client_capa},
    {.name = "help",
     .arity = 2,
     .flags = kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kConnection,
     .run = container_help},
};

constexpr CommandSpec kClientRows[] = {
    {.name = "client", .arity = -2, .flags = kSentinel, .subcommands = kClientSubRows},
};

}  // namespace

const CommandFamily kClientFamily{"connection", kClientRows, kClientDocs};

}  // namespace larder
