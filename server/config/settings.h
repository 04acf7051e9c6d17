#pragma once

// The values of every option that is in force. Plain data with Redis's defaults: the option table (option_table.h) is
// the one place that knows names, types and bounds and writes in here; everything else only reads.

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace larder {

enum class MaxmemoryPolicy : uint8_t {
  kNoEviction,
  kAllkeysLru,
  kAllkeysLfu,
  kAllkeysRandom,
  kVolatileLru,
  kVolatileLfu,
  kVolatileRandom,
  kVolatileTtl,
  kAllkeysS3Fifo,
  kVolatileS3Fifo,
};

// Limits of what a client may be owed, per class of clients.
struct OutputLimit {
  int64_t hard_bytes = 0;    // 0: no limit
  int64_t soft_bytes = 0;    // 0: no limit
  int64_t soft_seconds = 0;  // how long it may stay over the soft limit
};

enum class ClientClass : uint8_t { kNormal, kReplica, kPubsub };
inline constexpr size_t kClientClassCount = 3;

struct RenamedCommand {
  std::string name;
  std::string new_name;  // empty: removed
};

struct SavePoint {
  int64_t seconds = 0;
  int64_t changes = 0;
};

enum class ProtectedCommandUse : uint8_t { kNo, kYes, kLocal };

struct Settings {
  // Network
  std::vector<std::string> bind = {"*", "-::*"};
  int64_t port = 6379;
  int64_t tcp_backlog = 511;
  std::string unix_socket;
  int64_t unix_socket_permissions = 0;  // 0: as the umask says
  int64_t timeout_s = 0;                // close clients idle for longer; 0: never
  int64_t tcp_keepalive_s = 300;
  bool protected_mode = true;
  int64_t maxclients = 10000;

  // General
  bool daemonize = false;
  bool disable_thp = true;
  bool huge_pages = true;
  std::string pidfile;
  std::string log_level = "notice";
  std::string logfile;
  bool syslog_enabled = false;
  std::string syslog_ident = "larder";
  std::string syslog_facility = "local0";
  int64_t databases = 16;
  bool always_show_logo = false;
  std::string dir = ".";
  std::string db_filename = "dump.rdb";
  std::string proc_title_template = "{title} {listen-addr} {server-mode}";
  int64_t hz = 10;
  bool dynamic_hz = true;
  std::vector<SavePoint> save_points = {{3600, 1}, {300, 100}, {60, 10000}};
  bool stop_writes_on_bgsave_error = true;
  bool rdb_compression = true;
  bool rdb_checksum = true;
  int64_t rdb_version = 11;  // of files and DUMP payloads that are written; 10 is what Redis 7.0 reads

  // Security
  std::string requirepass;
  std::vector<RenamedCommand> renamed_commands;
  ProtectedCommandUse enable_debug_command = ProtectedCommandUse::kNo;
  ProtectedCommandUse enable_protected_configs = ProtectedCommandUse::kNo;
  ProtectedCommandUse enable_module_command = ProtectedCommandUse::kNo;

  // Clients
  int64_t query_buffer_limit_bytes = 1024 * 1024 * 1024;
  int64_t hll_sparse_bytes_max = 3000;  // where a sparse HyperLogLog becomes dense
  int64_t bulk_bytes_max = 512 * 1024 * 1024;
  std::array<OutputLimit, kClientClassCount> output_limits = {
      OutputLimit{0, 0, 0},
      OutputLimit{256 * 1024 * 1024, 64 * 1024 * 1024, 60},
      OutputLimit{32 * 1024 * 1024, 8 * 1024 * 1024, 60},
  };

  // Scripts
  int64_t busy_reply_threshold_ms = 5000;  // 0: other clients never get in while a script runs
  int64_t script_memory_limit_bytes = 256 * 1024 * 1024;

  // Memory
  int64_t maxmemory_bytes = 0;  // 0: no limit; negative: so many percent of the machine or container
  MaxmemoryPolicy maxmemory_policy = MaxmemoryPolicy::kNoEviction;
  int64_t maxmemory_samples = 5;
  int64_t maxmemory_clients_bytes = 0;  // negative: percent of maxmemory
  int64_t tracking_keys_max = 1000000;  // 0: no limit
  int64_t lfu_log_factor = 10;
  int64_t lfu_decay_time_min = 1;
  bool lazyfree_lazy_user_flush = false;
  int64_t active_expire_effort = 1;
  bool active_defrag = false;
  int64_t active_defrag_ignore_bytes = 100 * 1024 * 1024;
  int64_t active_defrag_threshold_lower_percent = 10;
  int64_t active_defrag_threshold_upper_percent = 100;
  int64_t active_defrag_cycle_min_percent = 1;
  int64_t active_defrag_cycle_max_percent = 25;
  bool active_expiry = true;  // DEBUG SET-ACTIVE-EXPIRE

  // Up to which size sets and hashes are shown as packed (OBJECT ENCODING).
  int64_t list_max_listpack_size = -2;
  int64_t set_max_intset_entries = 512;
  int64_t set_max_listpack_entries = 128;
  int64_t set_max_listpack_value_bytes = 64;
  int64_t hash_max_listpack_entries = 512;
  int64_t hash_max_listpack_value_bytes = 64;
  // Up to which size a sorted set is packed.
  int64_t zset_max_listpack_entries = 128;
  int64_t zset_max_listpack_value_bytes = 64;

  // Append-only log
  bool append_only = false;
  std::string append_fsync = "everysec";  // always, everysec, no
  std::string append_file_name = "appendonly.aof";
  std::string append_directory = "appendonlydir";
  int64_t aof_rewrite_percentage = 100;
  int64_t aof_rewrite_min_bytes = 64 * 1024 * 1024;
  bool aof_load_truncated = true;
  int64_t aof_load_corrupt_tail_bytes_max = 0;
  bool aof_timestamp_enabled = false;
  bool aof_use_rdb_preamble = true;  // bases of the log are RDB files; else commands

  // Streams
  int64_t stream_node_bytes_max = 4096;   // 0: no limit
  int64_t stream_node_entries_max = 100;  // 0: no limit

  // Observation
  int64_t slowlog_slower_than_us = 10000;  // negative: off; 0: every command
  int64_t slowlog_max_len = 128;
  int64_t latency_monitor_threshold_ms = 0;
  bool latency_tracking = true;
  std::vector<double> latency_tracking_percentiles = {50, 99, 99.9};
  uint32_t notify_classes = 0;

  // Canonical values of options that are accepted without effect, where they are not the default.
  std::map<std::string, std::string, std::less<>> accepted;
};

}  // namespace larder
