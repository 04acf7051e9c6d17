// Cluster commands on a server that is not part of a cluster: clients ask for them when they connect, and all answers
// are the same one.

#include "server/command/families.h"
#include "server/command/family_docs.h"
#include "server/core/context.h"

namespace larder {
namespace {

void cluster_disabled(CommandContext& ctx, ArgReader&) { ctx.reply().error(kClusterDisabled); }

constexpr CommandSpec kClusterSubRows[] = {
    {.name = "addslots", .arity = -3, .flags = kNoAsyncLoading | kAdmin | kWhileStale, .run = cluster_disabled},
    {.name = "addslotsrange", .arity = -4, .flags = kNoAsyncLoading | kAdmin | kWhileStale, .run = cluster_disabled},
    {.name = "bumpepoch",
     .arity = 2,
     .flags = kNoAsyncLoading | kAdmin | kWhileStale,
     .run = cluster_disabled,
     .tips = "nondeterministic_output"},
    {.name = "count-failure-reports",
     .arity = 3,
     .flags = kAdmin | kWhileStale,
     .run = cluster_disabled,
     .tips = "nondeterministic_output"},
    {.name = "countkeysinslot", .arity = 3, .flags = kWhileStale, .run = cluster_disabled},
    {.name = "delslots", .arity = -3, .flags = kNoAsyncLoading | kAdmin | kWhileStale, .run = cluster_disabled},
    {.name = "delslotsrange", .arity = -4, .flags = kNoAsyncLoading | kAdmin | kWhileStale, .run = cluster_disabled},
    {.name = "failover", .arity = -2, .flags = kNoAsyncLoading | kAdmin | kWhileStale, .run = cluster_disabled},
    {.name = "flushslots", .arity = 2, .flags = kNoAsyncLoading | kAdmin | kWhileStale, .run = cluster_disabled},
    {.name = "forget", .arity = 3, .flags = kNoAsyncLoading | kAdmin | kWhileStale, .run = cluster_disabled},
    {.name = "getkeysinslot",
     .arity = 4,
     .flags = kWhileStale,
     .run = cluster_disabled,
     .tips = "nondeterministic_output"},
    {.name = "help", .arity = 2, .flags = kWhileLoading | kWhileStale, .run = cluster_disabled},
    {.name = "info",
     .arity = 2,
     .flags = kWhileLoading | kWhileStale,
     .run = cluster_disabled,
     .tips = "nondeterministic_output"},
    {.name = "keyslot", .arity = 3, .flags = kWhileStale, .run = cluster_disabled},
    {.name = "links", .arity = 2, .flags = kWhileStale, .run = cluster_disabled, .tips = "nondeterministic_output"},
    {.name = "meet", .arity = -4, .flags = kNoAsyncLoading | kAdmin | kWhileStale, .run = cluster_disabled},
    {.name = "myid", .arity = 2, .flags = kWhileLoading | kWhileStale, .run = cluster_disabled},
    {.name = "myshardid",
     .arity = 2,
     .flags = kWhileLoading | kWhileStale,
     .run = cluster_disabled,
     .tips = "nondeterministic_output"},
    {.name = "nodes",
     .arity = 2,
     .flags = kWhileLoading | kWhileStale,
     .run = cluster_disabled,
     .tips = "nondeterministic_output"},
    {.name = "replicas",
     .arity = 3,
     .flags = kAdmin | kWhileStale,
     .run = cluster_disabled,
     .tips = "nondeterministic_output"},
    {.name = "replicate", .arity = -3, .flags = kNoAsyncLoading | kAdmin | kWhileStale, .run = cluster_disabled},
    {.name = "reset", .arity = -2, .flags = kAdmin | kWhileStale | kNotInScripts, .run = cluster_disabled},
    {.name = "saveconfig", .arity = 2, .flags = kNoAsyncLoading | kAdmin | kWhileStale, .run = cluster_disabled},
    {.name = "set-config-epoch", .arity = 3, .flags = kNoAsyncLoading | kAdmin | kWhileStale, .run = cluster_disabled},
    {.name = "setslot",
     .arity = -4,
     .flags = kNoAsyncLoading | kAdmin | kWhileStale | kMayReplicate,
     .run = cluster_disabled},
    {.name = "shards",
     .arity = 2,
     .flags = kWhileLoading | kWhileStale,
     .run = cluster_disabled,
     .tips = "nondeterministic_output"},
    {.name = "slaves",
     .arity = 3,
     .flags = kAdmin | kWhileStale,
     .run = cluster_disabled,
     .tips = "nondeterministic_output"},
    {.name = "slots",
     .arity = 2,
     .flags = kWhileLoading | kWhileStale,
     .run = cluster_disabled,
     .tips = "nondeterministic_output"},
};

constexpr CommandSpec kClusterRows[] = {
    {.name = "cluster", .arity = -2, .subcommands = kClusterSubRows},
    {.name = "asking", .arity = 1, .flags = kFast, .acl = Acl::kConnection, .run = cluster_disabled},
    {.name = "readonly",
     .arity = 1,
     .flags = kFast | kWhileLoading | kWhileStale,
     .acl = Acl::kConnection,
     .run = cluster_disabled},
    {.name = "readwrite",
     .arity = 1,
     .flags = kFast | kWhileLoading | kWhileStale,
     .acl = Acl::kConnection,
     .run = cluster_disabled},
};

}  // namespace

const CommandFamily kClusterFamily{"cluster", kClusterRows, kClusterDocs};

}  // namespace larder
