#include "base/number_text.h"
#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/command/help_reply.h"
#include "server/config/settings.h"
#include "server/core/authentication.h"
#include "server/core/compatibility.h"
#include "server/core/context.h"
#include "server/core/dispatcher.h"
#include "server/core/monitors.h"
#include "server/core/pubsub.h"
#include "server/core/tracking.h"
#include "server/core/transaction.h"

namespace larder {
namespace {

void auth(CommandContext& ctx, ArgReader& args) {
  const bool with_user = args.remaining() == 2;
  const Bytes user = with_user ? args.take<Bytes>() : kDefaultUser;
  const Bytes password = args.take<Bytes>();
  for (const Bytes secret : ctx.argv().subspan(1)) ctx.dispatcher().redact(secret);
  if (!args.done(ctx.reply())) return;
  if (!with_user && ctx.services().settings.requirepass.empty()) return ctx.reply().error(kAuthNotConfigured);
  if (!authenticate(ctx.client(), ctx.services(), user, password)) return ctx.reply().error(kWrongPass);
  ctx.reply().ok();
}

struct HelloOptions {
  int version = 0;  // 0: stays what it is
  bool with_user = false;
  Bytes user;
  Bytes password;
  bool with_name = false;
  Bytes name;
};

// Reads [protover [AUTH user password] [SETNAME name]]; false when an error has been written.
bool read_hello(CommandContext& ctx, ArgReader& args, HelloOptions& options) {
  if (args.at_end()) return true;
  const auto version = parse_int64(args.take<Bytes>());
  if (!version) return ctx.reply().error(kProtoNotInteger), false;
  if (*version != 2 && *version != 3) return ctx.reply().error(kNoProto), false;
  options.version = static_cast<int>(*version);
  while (!args.at_end()) {
    const Bytes word = args.take<Bytes>();
    if (equals_ignore_case(word, "AUTH") && args.remaining() >= 2) {
      options.with_user = true;
      options.user = args.take<Bytes>();
      options.password = args.take<Bytes>();
      ctx.dispatcher().redact(options.user);
      ctx.dispatcher().redact(options.password);
    } else if (equals_ignore_case(word, "SETNAME") && args.remaining() >= 1) {
      options.with_name = true;
      options.name = args.take<Bytes>();
      if (!is_listable(options.name)) return ctx.reply().error(kClientName), false;
    } else {
      ctx.reply().error(Bytes("ERR Syntax error in HELLO option '" + std::string(word) + "'"));
      return false;
    }
  }
  return true;
}

void write_hello(CommandContext& ctx) {
  ReplyWriter& reply = ctx.reply();
  reply.map(7);
  reply.bulk("server");
  reply.bulk("redis");
  reply.bulk("version");
  reply.bulk(kRedisVersion);
  reply.bulk("proto");
  reply.integer(ctx.client().protocol);
  reply.bulk("id");
  reply.integer(static_cast<int64_t>(ctx.client().id));
  reply.bulk("mode");
  reply.bulk("standalone");
  reply.bulk("role");
  reply.bulk("master");
  reply.bulk("modules");
  reply.empty_array();
}

void set_protocol(CommandContext& ctx, int version) {
  ctx.client().protocol = static_cast<uint8_t>(version);
  ctx.reply().set_protocol_version(version);
  PubSub::update_gate(ctx.client());
}

void hello(CommandContext& ctx, ArgReader& args) {
  HelloOptions options;
  if (!read_hello(ctx, args, options)) return;
  Client& client = ctx.client();
  if (options.with_user && !authenticate(client, ctx.services(), options.user, options.password)) {
    return ctx.reply().error(kWrongPass);
  }
  if (must_authenticate(client, ctx.services().settings)) return ctx.reply().error(kNoAuthHello);
  if (options.with_name) client.name = options.name;
  if (options.version != 0) set_protocol(ctx, options.version);
  write_hello(ctx);
}

void ping(CommandContext& ctx, ArgReader& args) {
  if (args.remaining() > 1) return ctx.reply().error(Bytes(wrong_arity_error("ping")));
  const bool subscriber = (ctx.client().gate & kGateSubscriber) && ctx.client().protocol == 2;
  if (subscriber) {
    // Shaped like a message, so that a reader of messages alone can tell it apart.
    ctx.reply().array(2);
    ctx.reply().bulk("pong");
    return ctx.reply().bulk(args.peek());
  }
  if (args.at_end()) return ctx.reply().simple("PONG");
  ctx.reply().bulk(args.take<Bytes>());
}

void echo(CommandContext& ctx, ArgReader& args) {
  const Bytes text = args.take<Bytes>();
  if (!args.done(ctx.reply())) return;
  ctx.reply().bulk(text);
}

void select(CommandContext& ctx, ArgReader& args) {
  const int64_t db = args.take<int64_t>();
  if (!args.done(ctx.reply())) return;
  if (db < 0 || db >= ctx.services().store.database_count()) return ctx.reply().error(kDbIndexOutOfRange);
  ctx.client().db = static_cast<uint16_t>(db);
  ctx.reply().ok();
}

void quit(CommandContext& ctx, ArgReader&) {
  ctx.reply().ok();
  ctx.client().close_after_reply();
}

// Back to what a new connection is. The library's name stays: it is still the same library.
void reset(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  Client& client = ctx.client();
  ctx.services().transactions.close(client);
  ctx.services().pubsub.forget(client);
  ctx.services().tracking.disable(client);
  ctx.services().monitors.remove(client);
  client.db = 0;
  client.name.clear();
  // What CLIENT REPLY SKIP said of this very request stays: it is not answered.
  client.flags &= ~(kClientNoEvict | kClientNoTouch | kClientReplyOff | kClientReplySkipNext);
  if (!(client.flags & kClientReplySkip)) client.gate &= ~kGateReply;
  forget_authentication(client, ctx.services().settings);
  set_protocol(ctx, 2);
  ctx.reply().simple("RESET");
}

constexpr CommandSpec kConnectionRows[] = {
    {.name = "auth",
     .arity = -2,
     .flags = kNotInScripts | kWhileLoading | kWhileStale | kFast | kNoAuthNeeded | kSentinel | kAllowBusy,
     .acl = Acl::kConnection,
     .run = auth},
    {.name = "hello",
     .arity = -1,
     .flags = kNotInScripts | kWhileLoading | kWhileStale | kFast | kNoAuthNeeded | kSentinel | kAllowBusy,
     .acl = Acl::kConnection,
     .run = hello},
    {.name = "ping",
     .arity = -1,
     .flags = kFast | kSentinel,
     .acl = Acl::kConnection,
     .run = ping,
     .tips = "request_policy:all_shards,response_policy:all_succeeded"},
    {.name = "echo", .arity = 2, .flags = kWhileLoading | kWhileStale | kFast, .acl = Acl::kConnection, .run = echo},
    {.name = "select",
     .arity = 2,
     .flags = kAllowBusy | kWhileLoading | kWhileStale | kFast,
     .acl = Acl::kConnection,
     .run = select},
    {.name = "quit",
     .arity = -1,
     .flags = kAllowBusy | kNotInScripts | kWhileLoading | kWhileStale | kFast | kNoAuthNeeded,
     .acl = Acl::kConnection,
     .run = quit},
    {.name = "reset",
     .arity = 1,
     .flags = kNotInScripts | kWhileLoading | kWhileStale | kFast | kNoAuthNeeded | kAllowBusy,
     .acl = Acl::kConnection,
     .run = reset},
};

}  // namespace

const CommandFamily kConnectionFamily{"connection", kConnectionRows, kConnectionDocs};

}  // namespace larder
