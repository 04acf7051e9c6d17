// INFO: the server in figures.

#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/core/context.h"
#include "server/observe/info.h"

namespace larder {
namespace {

// INFO [section ...]
void info(CommandContext& ctx, ArgReader& args) {
  const auto sections = args.rest();
  ctx.reply().verbatim("txt", info_text(ctx.services(), sections));
}

constexpr CommandSpec kInfoRows[] = {
    {.name = "info",
     .arity = -1,
     .flags = kWhileLoading | kWhileStale | kSentinel,
     .acl = Acl::kDangerous,
     .run = info,
     .tips = "nondeterministic_output,request_policy:all_shards,response_policy:special"},
};

}  // namespace

const CommandFamily kInfoFamily{"server", kInfoRows, kInfoDocs};

}  // namespace larder
