// The stream family: its rows.

#include "server/command/families.h"
#include "server/command/help_reply.h"
#include "server/command/stream_handlers.h"
#include "server/core/command_spec.h"

namespace larder {
namespace {

namespace sc = stream_commands;

constexpr CommandSpec kGroupRows[] = {
    {"create", -5, kWrite | kDenyOom, Acl::kStream, key_specs("RW+INSERT@i2:range(0,1,0)"), sc::xgroup_create},
    {"createconsumer", 5, kWrite | kDenyOom, Acl::kStream, key_specs("RW+INSERT@i2:range(0,1,0)"),
     sc::xgroup_createconsumer},
    {"delconsumer", 5, kWrite, Acl::kStream, key_specs("RW+DELETE@i2:range(0,1,0)"), sc::xgroup_delconsumer},
    {"destroy", 4, kWrite, Acl::kStream, key_specs("RW+DELETE@i2:range(0,1,0)"), sc::xgroup_destroy},
    {"help", 2, kWhileLoading | kWhileStale, Acl::kStream, {}, container_help},
    {"setid", -5, kWrite, Acl::kStream, key_specs("RW+UPDATE@i2:range(0,1,0)"), sc::xgroup_setid},
};

constexpr CommandSpec kInfoRows[] = {
    {"consumers",
     4,
     kReadonly,
     Acl::kStream,
     key_specs("RO+ACCESS@i2:range(0,1,0)"),
     sc::xinfo_consumers,
     {},
     "nondeterministic_output"},
    {"groups", 3, kReadonly, Acl::kStream, key_specs("RO+ACCESS@i2:range(0,1,0)"), sc::xinfo_groups},
    {"help", 2, kWhileLoading | kWhileStale, Acl::kStream, {}, container_help},
    {"stream", -3, kReadonly, Acl::kStream, key_specs("RO+ACCESS@i2:range(0,1,0)"), sc::xinfo_stream},
};

constexpr CommandSpec kStreamRows[] = {
    {"xack", -4, kWrite | kFast, Acl::kStream, key_specs("RW+UPDATE@i1:range(0,1,0)"), sc::xack},
    {"xadd",
     -5,
     kWrite | kDenyOom | kFast,
     Acl::kStream,
     key_specs("RW+UPDATE@i1:range(0,1,0)"),
     sc::xadd,
     {},
     "nondeterministic_output"},
    {"xautoclaim",
     -6,
     kWrite | kFast,
     Acl::kStream,
     key_specs("RW+DELETE@i1:range(0,1,0)"),
     sc::xautoclaim,
     {},
     "nondeterministic_output"},
    {"xclaim",
     -6,
     kWrite | kFast,
     Acl::kStream,
     key_specs("RW+UPDATE@i1:range(0,1,0)"),
     sc::xclaim,
     {},
     "nondeterministic_output"},
    {"xdel", -3, kWrite | kFast, Acl::kStream, key_specs("RW+DELETE@i1:range(0,1,0)"), sc::xdel},
    {.name = "xgroup", .arity = -2, .subcommands = kGroupRows},
    {.name = "xinfo", .arity = -2, .subcommands = kInfoRows},
    {"xlen", 2, kReadonly | kFast, Acl::kStream, key_specs("RO@i1:range(0,1,0)"), sc::xlen},
    {"xpending",
     -3,
     kReadonly,
     Acl::kStream,
     key_specs("RO+ACCESS@i1:range(0,1,0)"),
     sc::xpending,
     {},
     "nondeterministic_output"},
    {"xrange", -4, kReadonly, Acl::kStream, key_specs("RO+ACCESS@i1:range(0,1,0)"), sc::xrange},
    {"xread", -4, kReadonly | kBlocking, Acl::kStream, key_specs("RO+ACCESS@kw:STREAMS@1:range(-1,1,2)"), sc::xread},
    {"xreadgroup", -7, kWrite | kBlocking, Acl::kStream, key_specs("RO+ACCESS@kw:STREAMS@4:range(-1,1,2)"),
     sc::xreadgroup},
    {"xrevrange", -4, kReadonly, Acl::kStream, key_specs("RO+ACCESS@i1:range(0,1,0)"), sc::xrevrange},
    {"xsetid", -3, kWrite | kDenyOom | kFast, Acl::kStream, key_specs("RW+UPDATE@i1:range(0,1,0)"), sc::xsetid},
    {"xtrim",
     -4,
     kWrite,
     Acl::kStream,
     key_specs("RW+DELETE@i1:range(0,1,0)"),
     sc::xtrim,
     {},
     "nondeterministic_output"},
};

}  // namespace

extern const CommandFamily kStreamFamily{"stream", kStreamRows, kStreamDocs};

}  // namespace larder
