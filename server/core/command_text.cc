#include "server/core/command_text.h"

namespace larder {
namespace {

constexpr uint32_t bit_of(Acl category) { return static_cast<uint32_t>(category); }

constexpr FlagName kFlagNames[] = {
    {kWrite, "write"},
    {kReadonly, "readonly"},
    {kDenyOom, "denyoom"},
    {kAdmin, "admin"},
    {kPubsub, "pubsub"},
    {kNotInScripts, "noscript"},
    {kBlocking, "blocking"},
    {kWhileLoading, "loading"},
    {kWhileStale, "stale"},
    {kSkipMonitor, "skip_monitor"},
    {kSkipSlowlog, "skip_slowlog"},
    {kAsking, "asking"},
    {kFast, "fast"},
    {kNoAuthNeeded, "no_auth"},
    {kMayReplicate, "may_replicate"},
    {kSentinel, "sentinel"},
    {kNoAsyncLoading, "no_async_loading"},
    {kNoMulti, "no_multi"},
    {kMovableKeys, "movablekeys"},
    {kAllowBusy, "allow_busy"},
    {kNoMandatoryKeys, "no_mandatory_keys"},
    {kTouchesArbitraryKeys, "touches_arbitrary_keys"},
    {kAllDbs, "all_dbs"},
    {kProtected, "protected"},
};

constexpr FlagName kCategoryNames[] = {
    {bit_of(Acl::kKeyspace), "keyspace"},
    {bit_of(Acl::kRead), "read"},
    {bit_of(Acl::kWrite), "write"},
    {bit_of(Acl::kSet), "set"},
    {bit_of(Acl::kSortedSet), "sortedset"},
    {bit_of(Acl::kList), "list"},
    {bit_of(Acl::kHash), "hash"},
    {bit_of(Acl::kString), "string"},
    {bit_of(Acl::kBitmap), "bitmap"},
    {bit_of(Acl::kHyperLogLog), "hyperloglog"},
    {bit_of(Acl::kGeo), "geo"},
    {bit_of(Acl::kStream), "stream"},
    {bit_of(Acl::kPubsub), "pubsub"},
    {bit_of(Acl::kAdmin), "admin"},
    {bit_of(Acl::kFast), "fast"},
    {bit_of(Acl::kSlow), "slow"},
    {bit_of(Acl::kBlocking), "blocking"},
    {bit_of(Acl::kDangerous), "dangerous"},
    {bit_of(Acl::kConnection), "connection"},
    {bit_of(Acl::kTransaction), "transaction"},
    {bit_of(Acl::kScripting), "scripting"},
};

constexpr FlagName kKeyFlagNames[] = {
    {kKeyRo, "RO"},
    {kKeyRw, "RW"},
    {kKeyOw, "OW"},
    {kKeyRm, "RM"},
    {kKeyAccess, "access"},
    {kKeyUpdate, "update"},
    {kKeyInsert, "insert"},
    {kKeyDelete, "delete"},
    {kKeyNotKey, "not_key"},
    {kKeyIncomplete, "incomplete"},
    {kKeyVariableFlags, "variable_flags"},
};

}  // namespace

std::span<const FlagName> command_flag_names() { return kFlagNames; }
std::span<const FlagName> acl_category_names() { return kCategoryNames; }
std::span<const FlagName> key_flag_names() { return kKeyFlagNames; }

}  // namespace larder
