#include "server/config/option_rows.h"

#include <algorithm>
#include <climits>

#include "server/config/option_specials.h"

// The rows, grouped as in a configuration file. Bounds and defaults are those of Redis 7.2.

namespace larder {
namespace {

constexpr int64_t kLong = INT64_MAX;
constexpr int64_t kPort = 65535;
constexpr int64_t kMegabyte = 1024 * 1024;

constexpr Bytes kPolicyWords[] = {"volatile-lru",   "volatile-lfu",   "volatile-random", "volatile-ttl",
                                  "allkeys-lru",    "allkeys-lfu",    "allkeys-random",  "noeviction",
                                  "allkeys-s3fifo", "volatile-s3fifo"};
constexpr MaxmemoryPolicy kPolicyValues[] = {MaxmemoryPolicy::kVolatileLru,    MaxmemoryPolicy::kVolatileLfu,
                                             MaxmemoryPolicy::kVolatileRandom, MaxmemoryPolicy::kVolatileTtl,
                                             MaxmemoryPolicy::kAllkeysLru,     MaxmemoryPolicy::kAllkeysLfu,
                                             MaxmemoryPolicy::kAllkeysRandom,  MaxmemoryPolicy::kNoEviction,
                                             MaxmemoryPolicy::kAllkeysS3Fifo,  MaxmemoryPolicy::kVolatileS3Fifo};
constexpr Bytes kUseWords[] = {"no", "yes", "local"};
constexpr Bytes kLogLevelWords[] = {"debug", "verbose", "notice", "warning", "nothing"};
constexpr Bytes kFacilityWords[] = {"user",   "local0", "local1", "local2", "local3",
                                    "local4", "local5", "local6", "local7"};
constexpr Bytes kSupervisedWords[] = {"upstart", "systemd", "auto", "no"};
constexpr Bytes kDisklessLoadWords[] = {"disabled", "on-empty-db", "swapdb"};
constexpr Bytes kFsyncWords[] = {"everysec", "always", "no"};
constexpr Bytes kOomScoreWords[] = {"no", "yes", "relative", "absolute"};
constexpr Bytes kChannelWords[] = {"allchannels", "resetchannels"};
constexpr Bytes kSanitizeWords[] = {"no", "yes", "clients"};
constexpr Bytes kEndpointWords[] = {"ip", "hostname", "unknown-endpoint"};
constexpr Bytes kPropagationWords[] = {"ignore", "panic", "panic-on-replicas"};
constexpr Bytes kShutdownWords[] = {"default", "save", "nosave", "now", "force"};
constexpr Bytes kTlsAuthWords[] = {"no", "yes", "optional"};

uint8_t get_policy(const Settings& settings) {
  const auto* at = std::find(std::begin(kPolicyValues), std::end(kPolicyValues), settings.maxmemory_policy);
  return static_cast<uint8_t>(at - std::begin(kPolicyValues));
}
void set_policy(Settings& settings, uint8_t index) { settings.maxmemory_policy = kPolicyValues[index]; }

template <ProtectedCommandUse Settings::*Member>
uint8_t get_use(const Settings& settings) {
  return static_cast<uint8_t>(settings.*Member);
}
template <ProtectedCommandUse Settings::*Member>
void set_use(Settings& settings, uint8_t index) {
  settings.*Member = static_cast<ProtectedCommandUse>(index);
}

// ---- Short forms. The last two arguments of each are flags and the older name.

constexpr OptionRow flag(Bytes name, bool Settings::*member, uint16_t flags = 0, Bytes alias = {}) {
  return {.name = name, .alias = alias, .type = OptionType::kBool, .flags = flags, .flag = member};
}
constexpr OptionRow number(Bytes name, int64_t Settings::*member, int64_t min, int64_t max, uint16_t flags = 0,
                           Bytes alias = {}) {
  return {.name = name,
          .alias = alias,
          .type = OptionType::kInteger,
          .flags = flags,
          .min = min,
          .max = max,
          .number = member};
}
constexpr OptionRow memory(Bytes name, int64_t Settings::*member, int64_t min, int64_t max, uint16_t flags = 0,
                           Bytes alias = {}) {
  return {.name = name,
          .alias = alias,
          .type = OptionType::kMemory,
          .flags = flags,
          .min = min,
          .max = max,
          .number = member};
}
constexpr OptionRow text(Bytes name, std::string Settings::*member, uint16_t flags = 0,
                         Status (*check)(Bytes) = nullptr) {
  return {.name = name, .type = OptionType::kString, .flags = flags, .check = check, .text = member};
}
constexpr OptionRow word(Bytes name, std::string Settings::*member, std::span<const Bytes> words, uint16_t flags = 0) {
  return {.name = name, .type = OptionType::kEnum, .flags = flags, .words = words, .text = member};
}
template <ProtectedCommandUse Settings::*Member>
constexpr OptionRow use(Bytes name) {
  return {.name = name,
          .type = OptionType::kEnum,
          .flags = kImmutable,
          .words = kUseWords,
          .enum_get = get_use<Member>,
          .enum_set = set_use<Member>};
}
constexpr OptionRow special(Bytes name, const SpecialOption& how, uint16_t flags, Bytes alias = {}) {
  return {.name = name, .alias = alias, .type = OptionType::kSpecial, .flags = flags, .special = &how};
}

// The same for options that are accepted without effect; the second argument is the default.
constexpr OptionRow kept_flag(Bytes name, Bytes value, uint16_t flags = 0, Bytes alias = {}) {
  return {.name = name,
          .alias = alias,
          .type = OptionType::kBool,
          .flags = static_cast<uint16_t>(flags | kAcceptedOnly),
          .default_text = value};
}
constexpr OptionRow kept_number(Bytes name, Bytes value, int64_t min, int64_t max, uint16_t flags = 0,
                                Bytes alias = {}) {
  return {.name = name,
          .alias = alias,
          .type = OptionType::kInteger,
          .flags = static_cast<uint16_t>(flags | kAcceptedOnly),
          .min = min,
          .max = max,
          .default_text = value};
}
constexpr OptionRow kept_memory(Bytes name, Bytes value, int64_t min, int64_t max, uint16_t flags = 0,
                                Bytes alias = {}) {
  return {.name = name,
          .alias = alias,
          .type = OptionType::kMemory,
          .flags = static_cast<uint16_t>(flags | kAcceptedOnly),
          .min = min,
          .max = max,
          .default_text = value};
}
constexpr OptionRow kept_text(Bytes name, Bytes value = {}, uint16_t flags = 0, Bytes alias = {},
                              Status (*check)(Bytes) = nullptr) {
  return {.name = name,
          .alias = alias,
          .type = OptionType::kString,
          .flags = static_cast<uint16_t>(flags | kAcceptedOnly),
          .default_text = value,
          .check = check};
}
constexpr OptionRow kept_word(Bytes name, Bytes value, std::span<const Bytes> words, uint16_t flags = 0) {
  return {.name = name,
          .type = OptionType::kEnum,
          .flags = static_cast<uint16_t>(flags | kAcceptedOnly),
          .words = words,
          .default_text = value};
}
constexpr OptionRow kept_words(Bytes name, Bytes value, std::span<const Bytes> words, Status (*check)(Bytes)) {
  return {.name = name,
          .type = OptionType::kEnumSet,
          .flags = kMultiArgument | kAcceptedOnly,
          .words = words,
          .default_text = value,
          .check = check};
}

// A row whose value has its place in Settings already while nothing reads it yet.
constexpr OptionRow not_yet(OptionRow row, uint16_t flags = 0) {
  row.flags = static_cast<uint16_t>(row.flags | flags | kAcceptedOnly);
  return row;
}

// ---- Checks beyond type and bounds

Status check_file_name(Bytes value) {
  if (value.find('/') == Bytes::npos && value.find('\\') == Bytes::npos) return {};
  return {ErrorCode::kInvalidArgument, "dbfilename can't be a path, just a filename"};
}
Status check_append_file_name(Bytes value) {
  if (value.empty()) return {ErrorCode::kInvalidArgument, "appendfilename can't be empty"};
  if (value.find('/') == Bytes::npos && value.find('\\') == Bytes::npos) return {};
  return {ErrorCode::kInvalidArgument, "appendfilename can't be a path, just a filename"};
}
Status check_append_directory(Bytes value) {
  if (value.empty()) return {ErrorCode::kInvalidArgument, "appenddirname can't be empty"};
  if (value.find('/') == Bytes::npos && value.find('\\') == Bytes::npos) return {};
  return {ErrorCode::kInvalidArgument, "appenddirname can't be a path, just a dirname"};
}
// The variables that the title of the process may name. The first two may stand for nothing, which is no title.
Status check_title_template(Bytes value) {
  const Status invalid = {ErrorCode::kInvalidArgument, "template format is invalid or contains unknown variables"};
  constexpr Bytes kVariables[] = {"title",    "server-mode", "listen-addr", "port",
                                  "tls-port", "unixsocket",  "config-file"};
  bool says_something = false;
  while (true) {
    const size_t open = value.find('{');
    says_something |= value.substr(0, open).find_first_not_of(' ') != Bytes::npos;
    if (open == Bytes::npos) return says_something ? Status() : invalid;
    const size_t close = value.find('}', open);
    const Bytes variable = close == Bytes::npos ? Bytes() : value.substr(open + 1, close - open - 1);
    const Bytes* known = std::find(std::begin(kVariables), std::end(kVariables), variable);
    if (known == std::end(kVariables)) return invalid;
    says_something |= known - std::begin(kVariables) >= 2;
    value.remove_prefix(close + 1);
  }
}
Status check_hostname(Bytes value) {
  if (value.size() > 255) return {ErrorCode::kInvalidArgument, "Hostnames must be less than 256 characters"};
  const auto is_allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  if (std::all_of(value.begin(), value.end(), is_allowed)) return {};
  return {ErrorCode::kInvalidArgument, "Hostnames may only contain alphanumeric characters, hyphens or dots"};
}
Status check_shutdown_words(Bytes value) {
  const bool saves = (" " + std::string(value) + " ").find(" save ") != std::string::npos;
  const bool drops = value.find("nosave") != Bytes::npos;
  if (!saves || !drops) return {};
  return {ErrorCode::kInvalidArgument, "shutdown options SAVE and NOSAVE can't be used simultaneously"};
}
// An encrypted port that silently stays closed would be worse than a server that does not start.
Status check_no_tls(Bytes value) {
  if (value == "0") return {};
  return {ErrorCode::kUnsupported, "TLS is not available in this version of Larder"};
}

// Nor may the rules of a file be left out in silence.
Status check_no_acl_file(Bytes value) {
  if (value.empty()) return {};
  return {ErrorCode::kUnsupported, "ACL files are not available in this version of Larder: use requirepass"};
}

constexpr OptionRow kept_tls_port() {
  OptionRow row = kept_number("tls-port", "0", 0, kPort);
  row.check = check_no_tls;
  return row;
}

constexpr OptionRow kRows[] = {
    // Network
    special("bind", kBindOption, kMultiArgument),
    kept_text("bind-source-addr"),
    number("port", &Settings::port, 0, kPort),
    number("tcp-backlog", &Settings::tcp_backlog, 0, INT_MAX, kImmutable),
    text("unixsocket", &Settings::unix_socket, kImmutable),
    {.name = "unixsocketperm",
     .type = OptionType::kOctal,
     .flags = kImmutable,
     .max = 0777,
     .number = &Settings::unix_socket_permissions},
    number("timeout", &Settings::timeout_s, 0, INT_MAX),
    number("tcp-keepalive", &Settings::tcp_keepalive_s, 0, INT_MAX),
    flag("protected-mode", &Settings::protected_mode),
    number("maxclients", &Settings::maxclients, 1, UINT_MAX),
    kept_number("socket-mark-id", "0", 0, UINT_MAX, kImmutable),

    // General
    flag("daemonize", &Settings::daemonize, kImmutable),
    kept_word("supervised", "no", kSupervisedWords, kImmutable),
    text("pidfile", &Settings::pidfile, kImmutable),
    word("loglevel", &Settings::log_level, kLogLevelWords),
    text("logfile", &Settings::logfile, kImmutable),
    not_yet(flag("syslog-enabled", &Settings::syslog_enabled, kImmutable), kWarnWithoutEffect),
    not_yet(text("syslog-ident", &Settings::syslog_ident, kImmutable)),
    not_yet(word("syslog-facility", &Settings::syslog_facility, kFacilityWords, kImmutable)),
    kept_flag("crash-log-enabled", "yes"),
    kept_flag("crash-memcheck-enabled", "yes"),
    kept_flag("use-exit-on-panic", "no", kHidden),
    number("databases", &Settings::databases, 1, INT_MAX, kImmutable),
    not_yet(flag("always-show-logo", &Settings::always_show_logo, kImmutable)),
    kept_flag("set-proc-title", "yes", kImmutable),
    not_yet(text("proc-title-template", &Settings::proc_title_template, 0, check_title_template)),
    kept_text("locale-collate"),
    text("dir", &Settings::dir, kProtectedConfig | kNotWhileLoading),
    not_yet(special("hz", kHzOption, 0)),
    not_yet(flag("dynamic-hz", &Settings::dynamic_hz)),
    kept_number("watchdog-period", "0", 0, INT_MAX, kHidden),
    kept_text("ignore-warnings"),
    flag("disable-thp", &Settings::disable_thp, kImmutable),
    flag("huge-pages", &Settings::huge_pages, kImmutable),
    kept_word("oom-score-adj", "no", kOomScoreWords),
    special("oom-score-adj-values", kOomScoreValuesOption, kMultiArgument | kAcceptedOnly),
    kept_number("io-threads", "1", 1, 128, kImmutable),
    kept_flag("io-threads-do-reads", "no", kImmutable),
    kept_text("server_cpulist", {}, kImmutable),
    kept_text("bio_cpulist", {}, kImmutable),
    kept_text("aof_rewrite_cpulist", {}, kImmutable),
    kept_text("bgsave_cpulist", {}, kImmutable),
    kept_number("shutdown-timeout", "10", 0, INT_MAX),
    kept_words("shutdown-on-sigint", "default", kShutdownWords, check_shutdown_words),
    kept_words("shutdown-on-sigterm", "default", kShutdownWords, check_shutdown_words),

    // Security
    text("requirepass", &Settings::requirepass, kSensitive),
    kept_text("aclfile", {}, kImmutable, {}, check_no_acl_file),
    kept_number("acllog-max-len", "128", 0, kLong),
    kept_word("acl-pubsub-default", "resetchannels", kChannelWords),
    use<&Settings::enable_debug_command>("enable-debug-command"),
    use<&Settings::enable_protected_configs>("enable-protected-configs"),
    use<&Settings::enable_module_command>("enable-module-command"),

    // TLS
    kept_tls_port(),
    kept_flag("tls-cluster", "no"),
    kept_flag("tls-replication", "no"),
    kept_word("tls-auth-clients", "yes", kTlsAuthWords),
    kept_flag("tls-prefer-server-ciphers", "no"),
    kept_flag("tls-session-caching", "yes"),
    kept_number("tls-session-cache-size", "20480", 0, INT_MAX),
    kept_number("tls-session-cache-timeout", "300", 0, INT_MAX),
    kept_text("tls-cert-file"),
    kept_text("tls-key-file"),
    kept_text("tls-key-file-pass", {}, kSensitive),
    kept_text("tls-client-cert-file"),
    kept_text("tls-client-key-file"),
    kept_text("tls-client-key-file-pass", {}, kSensitive),
    kept_text("tls-dh-params-file"),
    kept_text("tls-ca-cert-file"),
    kept_text("tls-ca-cert-dir"),
    kept_text("tls-protocols"),
    kept_text("tls-ciphers"),
    kept_text("tls-ciphersuites"),

    // Clients
    memory("client-query-buffer-limit", &Settings::query_buffer_limit_bytes, kMegabyte, kLong),
    memory("proto-max-bulk-len", &Settings::bulk_bytes_max, kMegabyte, kLong),
    special("client-output-buffer-limit", kOutputLimitOption, kMultiArgument),
    {.name = "maxmemory-clients",
     .type = OptionType::kMemoryOrPercent,
     .min = -100,
     .max = kLong,
     .number = &Settings::maxmemory_clients_bytes},
    number("tracking-table-max-keys", &Settings::tracking_keys_max, 0, kLong),

    // Memory
    {.name = "maxmemory",
     .type = OptionType::kMemoryOrPercent,
     .min = -100,
     .max = kLong,
     .number = &Settings::maxmemory_bytes},
    {.name = "maxmemory-policy",
     .type = OptionType::kEnum,
     .words = kPolicyWords,
     .enum_get = get_policy,
     .enum_set = set_policy},
    number("maxmemory-samples", &Settings::maxmemory_samples, 1, INT_MAX),
    kept_number("maxmemory-eviction-tenacity", "10", 0, 100),
    number("lfu-log-factor", &Settings::lfu_log_factor, 0, INT_MAX),
    number("lfu-decay-time", &Settings::lfu_decay_time_min, 0, INT_MAX),
    not_yet(number("active-expire-effort", &Settings::active_expire_effort, 1, 10)),
    kept_flag("lazyfree-lazy-eviction", "no"),
    kept_flag("lazyfree-lazy-expire", "no"),
    kept_flag("lazyfree-lazy-server-del", "no"),
    kept_flag("lazyfree-lazy-user-del", "no"),
    not_yet(flag("lazyfree-lazy-user-flush", &Settings::lazyfree_lazy_user_flush)),
    kept_flag("activerehashing", "yes"),
    kept_flag("jemalloc-bg-thread", "yes"),
    flag("activedefrag", &Settings::active_defrag),
    memory("active-defrag-ignore-bytes", &Settings::active_defrag_ignore_bytes, 1, kLong),
    number("active-defrag-threshold-lower", &Settings::active_defrag_threshold_lower_percent, 0, 1000),
    number("active-defrag-threshold-upper", &Settings::active_defrag_threshold_upper_percent, 0, 1000),
    number("active-defrag-cycle-min", &Settings::active_defrag_cycle_min_percent, 1, 99),
    number("active-defrag-cycle-max", &Settings::active_defrag_cycle_max_percent, 1, 99),
    kept_number("active-defrag-max-scan-fields", "1000", 1, kLong),

    // Values
    number("hash-max-listpack-entries", &Settings::hash_max_listpack_entries, 0, kLong, 0, "hash-max-ziplist-entries"),
    memory("hash-max-listpack-value", &Settings::hash_max_listpack_value_bytes, 0, kLong, 0, "hash-max-ziplist-value"),
    number("list-max-listpack-size", &Settings::list_max_listpack_size, INT_MIN, INT_MAX, 0, "list-max-ziplist-size"),
    kept_number("list-compress-depth", "0", 0, INT_MAX),
    number("set-max-intset-entries", &Settings::set_max_intset_entries, 0, kLong),
    number("set-max-listpack-entries", &Settings::set_max_listpack_entries, 0, kLong),
    memory("set-max-listpack-value", &Settings::set_max_listpack_value_bytes, 0, kLong),
    number("zset-max-listpack-entries", &Settings::zset_max_listpack_entries, 0, kLong, 0, "zset-max-ziplist-entries"),
    memory("zset-max-listpack-value", &Settings::zset_max_listpack_value_bytes, 0, kLong, 0, "zset-max-ziplist-value"),
    memory("hll-sparse-max-bytes", &Settings::hll_sparse_bytes_max, 0, kLong),
    memory("stream-node-max-bytes", &Settings::stream_node_bytes_max, 0, kLong),
    number("stream-node-max-entries", &Settings::stream_node_entries_max, 0, kLong),

    // Snapshots
    special("save", kSaveOption, kMultiArgument),
    text("dbfilename", &Settings::db_filename, kProtectedConfig, check_file_name),
    flag("stop-writes-on-bgsave-error", &Settings::stop_writes_on_bgsave_error),
    flag("rdbcompression", &Settings::rdb_compression),
    flag("rdbchecksum", &Settings::rdb_checksum, kImmutable),
    number("rdb-version", &Settings::rdb_version, 10, 12),
    kept_flag("rdb-del-sync-files", "no"),
    kept_flag("rdb-save-incremental-fsync", "yes"),
    kept_word("sanitize-dump-payload", "no", kSanitizeWords),
    kept_number("rdb-key-save-delay", "0", INT_MIN, INT_MAX, kHidden),
    kept_number("key-load-delay", "0", INT_MIN, INT_MAX, kHidden),
    kept_memory("loading-process-events-interval-bytes", "2097152", 1024, INT_MAX, kHidden),

    // Append-only log
    flag("appendonly", &Settings::append_only, kNotWhileLoading),
    text("appendfilename", &Settings::append_file_name, kImmutable, check_append_file_name),
    text("appenddirname", &Settings::append_directory, kImmutable, check_append_directory),
    word("appendfsync", &Settings::append_fsync, kFsyncWords),
    kept_flag("no-appendfsync-on-rewrite", "no"),
    number("auto-aof-rewrite-percentage", &Settings::aof_rewrite_percentage, 0, INT_MAX),
    memory("auto-aof-rewrite-min-size", &Settings::aof_rewrite_min_bytes, 0, kLong),
    flag("aof-load-truncated", &Settings::aof_load_truncated),
    memory("aof-load-corrupt-tail-max-size", &Settings::aof_load_corrupt_tail_bytes_max, 0, INT_MAX),
    flag("aof-use-rdb-preamble", &Settings::aof_use_rdb_preamble),
    flag("aof-timestamp-enabled", &Settings::aof_timestamp_enabled),
    kept_flag("aof-rewrite-incremental-fsync", "yes"),
    kept_flag("aof-disable-auto-gc", "no"),

    // Replication
    special("replicaof", kReplicaofOption, kImmutable | kMultiArgument | kAcceptedOnly | kWarnWithoutEffect, "slaveof"),
    kept_text("masteruser", {}, kSensitive),
    kept_text("masterauth", {}, kSensitive),
    kept_flag("replica-serve-stale-data", "yes", 0, "slave-serve-stale-data"),
    kept_flag("replica-read-only", "yes", 0, "slave-read-only"),
    kept_flag("replica-ignore-maxmemory", "yes", 0, "slave-ignore-maxmemory"),
    kept_flag("replica-ignore-disk-write-errors", "no"),
    kept_flag("replica-lazy-flush", "no", 0, "slave-lazy-flush"),
    kept_number("replica-priority", "100", 0, INT_MAX, 0, "slave-priority"),
    kept_flag("replica-announced", "yes"),
    kept_text("replica-announce-ip", {}, 0, "slave-announce-ip"),
    kept_number("replica-announce-port", "0", 0, kPort, 0, "slave-announce-port"),
    kept_number("min-replicas-to-write", "0", 0, INT_MAX, kWarnWithoutEffect, "min-slaves-to-write"),
    kept_number("min-replicas-max-lag", "10", 0, INT_MAX, 0, "min-slaves-max-lag"),
    {.name = "repl-backlog-size",
     .type = OptionType::kMemory,
     .flags = kAcceptedOnly,
     .min = 1,
     .max = kLong,
     .least = 16384,
     .default_text = "1048576"},
    kept_number("repl-backlog-ttl", "3600", 0, kLong),
    kept_number("repl-timeout", "60", 1, INT_MAX),
    kept_number("repl-ping-replica-period", "10", 1, INT_MAX, 0, "repl-ping-slave-period"),
    kept_flag("repl-disable-tcp-nodelay", "no"),
    kept_flag("repl-diskless-sync", "yes"),
    kept_number("repl-diskless-sync-delay", "5", 0, INT_MAX),
    kept_number("repl-diskless-sync-max-replicas", "0", 0, INT_MAX),
    kept_word("repl-diskless-load", "disabled", kDisklessLoadWords),
    kept_word("propagation-error-behavior", "ignore", kPropagationWords),

    // Cluster
    kept_flag("cluster-enabled", "no", kImmutable | kWarnWithoutEffect),
    kept_text("cluster-config-file", "nodes.conf", kImmutable),
    kept_number("cluster-port", "0", 0, kPort, kImmutable),
    kept_number("cluster-node-timeout", "15000", 0, kLong),
    kept_number("cluster-ping-interval", "1000", 0, kLong, kHidden),
    kept_number("cluster-migration-barrier", "1", 0, INT_MAX),
    kept_flag("cluster-allow-replica-migration", "yes"),
    kept_flag("cluster-require-full-coverage", "yes"),
    kept_flag("cluster-allow-reads-when-down", "no"),
    kept_flag("cluster-allow-pubsubshard-when-down", "yes"),
    kept_flag("cluster-replica-no-failover", "no", 0, "cluster-slave-no-failover"),
    kept_number("cluster-replica-validity-factor", "10", 0, INT_MAX, 0, "cluster-slave-validity-factor"),
    kept_text("cluster-announce-ip"),
    kept_text("cluster-announce-hostname", {}, 0, {}, check_hostname),
    kept_text("cluster-announce-human-nodename"),
    kept_number("cluster-announce-port", "0", 0, kPort),
    kept_number("cluster-announce-tls-port", "0", 0, kPort),
    kept_number("cluster-announce-bus-port", "0", 0, kPort),
    kept_word("cluster-preferred-endpoint-type", "ip", kEndpointWords),
    kept_memory("cluster-link-sendbuf-limit", "0", 0, kLong),

    // Scripts
    number("busy-reply-threshold", &Settings::busy_reply_threshold_ms, 0, kLong, 0, "lua-time-limit"),
    memory("script-memory-limit", &Settings::script_memory_limit_bytes, 4 * kMegabyte, kLong),

    // Observation
    number("slowlog-log-slower-than", &Settings::slowlog_slower_than_us, -1, kLong),
    number("slowlog-max-len", &Settings::slowlog_max_len, 0, kLong),
    number("latency-monitor-threshold", &Settings::latency_monitor_threshold_ms, 0, kLong),
    flag("latency-tracking", &Settings::latency_tracking),
    special("latency-tracking-info-percentiles", kPercentilesOption, kMultiArgument),
    special("notify-keyspace-events", kNotifyOption, 0),
};

constexpr size_t kRowCount = std::size(kRows);

std::vector<OptionRow> sorted_rows() {
  std::vector<OptionRow> rows(kRows, kRows + kRowCount);
  std::sort(rows.begin(), rows.end(), [](const OptionRow& a, const OptionRow& b) { return a.name < b.name; });
  return rows;
}

}  // namespace

std::span<const OptionRow> option_rows() {
  static const std::vector<OptionRow> kSorted = sorted_rows();
  return kSorted;
}

std::vector<Bytes> options_without_effect(const Settings& settings) {
  const Settings defaults;
  std::vector<Bytes> names;
  for (const OptionRow& row : option_rows()) {
    if (row.has(kWarnWithoutEffect) && !same_value(row, settings, defaults)) names.push_back(row.name);
  }
  return names;
}

const OptionRow* find_option(Bytes name) {
  for (const OptionRow& row : option_rows()) {
    if (equals_ignore_case(row.name, name)) return &row;
    if (!row.alias.empty() && equals_ignore_case(row.alias, name)) return &row;
  }
  return nullptr;
}

}  // namespace larder
