// Every error text that goes over the wire, in one place. Texts start with their code word (ERR, WRONGTYPE ...),
// because clients branch on it, and carry neither the leading '-' nor a line end: ReplyWriter::error adds those.
//
// Fixed texts are `ErrorText` constants: two words, no allocation, usable as the error type of a Result. Texts with
// parameters are built by the functions at the end and passed to ReplyWriter::error as bytes.
#pragma once

#include <string>

#include "base/bytes.h"

namespace larder {

// A text that lives as long as the process. Empty means "no error".
class ErrorText {
 public:
  constexpr ErrorText() = default;
  template <size_t N>
  constexpr explicit ErrorText(const char (&literal)[N]) : text_(literal, N - 1) {}

  constexpr Bytes text() const { return text_; }
  constexpr bool empty() const { return text_.empty(); }
  constexpr explicit operator bool() const { return !text_.empty(); }
  // The code word: "ERR", "WRONGTYPE" ...
  constexpr Bytes code() const { return text_.substr(0, text_.find(' ')); }
  friend constexpr bool operator==(ErrorText a, ErrorText b) { return a.text_ == b.text_; }

 private:
  Bytes text_;
};

// Arguments
inline constexpr ErrorText kSyntax{"ERR syntax error"};
inline constexpr ErrorText kNotInteger{"ERR value is not an integer or out of range"};
inline constexpr ErrorText kNotFloat{"ERR value is not a valid float"};
inline constexpr ErrorText kOutOfRange{"ERR value is out of range"};
inline constexpr ErrorText kNotPositive{"ERR value is out of range, must be positive"};
inline constexpr ErrorText kIndexOutOfRange{"ERR index out of range"};
inline constexpr ErrorText kMinMaxNotFloat{"ERR min or max is not a float"};
inline constexpr ErrorText kMinMaxNotString{"ERR min or max not valid string range item"};
inline constexpr ErrorText kTimeoutNotFloat{"ERR timeout is not a float or out of range"};
inline constexpr ErrorText kTimeoutNegative{"ERR timeout is negative"};
inline constexpr ErrorText kTimeoutOutOfRange{"ERR timeout is out of range"};
inline constexpr ErrorText kInvalidCursor{"ERR invalid cursor"};
inline constexpr ErrorText kNumKeysNotPositive{"ERR numkeys should be greater than 0"};
inline constexpr ErrorText kNumKeysTooMany{"ERR Number of keys can't be greater than number of args"};
inline constexpr ErrorText kNumKeysNegative{"ERR Number of keys can't be negative"};
inline constexpr ErrorText kCountNotPositive{"ERR count should be greater than 0"};
inline constexpr ErrorText kCountNegative{"ERR COUNT can't be negative"};
inline constexpr ErrorText kLimitNegative{"ERR LIMIT can't be negative"};
inline constexpr ErrorText kDbIndexOutOfRange{"ERR DB index is out of range"};
inline constexpr ErrorText kInvalidFirstDbIndex{"ERR invalid first DB index"};
inline constexpr ErrorText kInvalidSecondDbIndex{"ERR invalid second DB index"};
inline constexpr ErrorText kNotInt32{"ERR value is out of range, value must between -2147483648 and 2147483647"};
inline constexpr ErrorText kExpireNxConflict{"ERR NX and XX, GT or LT options at the same time are not compatible"};
inline constexpr ErrorText kExpireGtLtConflict{"ERR GT and LT options at the same time are not compatible"};
inline constexpr ErrorText kInvalidNumKeys{"ERR invalid numkeys value"};
inline constexpr ErrorText kWrongPairCount{"ERR wrong number of key-value pairs"};
inline constexpr ErrorText kInvalidDigest{"ERR digest must be exactly 16 hexadecimal characters"};

// Keys and values
inline constexpr ErrorText kWrongType{"WRONGTYPE Operation against a key holding the wrong kind of value"};
inline constexpr ErrorText kNoSuchKey{"ERR no such key"};
inline constexpr ErrorText kSameObject{"ERR source and destination objects are the same"};
inline constexpr ErrorText kBusyKey{"BUSYKEY Target key name already exists."};
inline constexpr ErrorText kStringTooLong{"ERR string exceeds maximum allowed size (proto-max-bulk-len)"};
inline constexpr ErrorText kOffsetOutOfRange{"ERR offset is out of range"};
inline constexpr ErrorText kIncrementOverflow{"ERR increment or decrement would overflow"};
inline constexpr ErrorText kDecrementOverflow{"ERR decrement would overflow"};
inline constexpr ErrorText kIncrementNan{"ERR increment would produce NaN or Infinity"};
inline constexpr ErrorText kHashNotInteger{"ERR hash value is not an integer"};
inline constexpr ErrorText kHashNotFloat{"ERR hash value is not a float"};
inline constexpr ErrorText kScoreNan{"ERR resulting score is not a number (NaN)"};
inline constexpr ErrorText kBitOffset{"ERR bit offset is not an integer or out of range"};
inline constexpr ErrorText kBitValue{"ERR bit is not an integer or out of range"};
inline constexpr ErrorText kBitArgument{"ERR The bit argument must be 1 or 0."};
inline constexpr ErrorText kNotValidHyperLogLog{"WRONGTYPE Key is not a valid HyperLogLog string value."};
inline constexpr ErrorText kBadDump{"ERR DUMP payload version or checksum are wrong"};
inline constexpr ErrorText kBadDataFormat{"ERR Bad data format"};
inline constexpr ErrorText kInvalidTtl{"ERR Invalid TTL value, must be >= 0"};
inline constexpr ErrorText kInvalidIdleTime{"ERR Invalid IDLETIME value, must be >= 0"};
inline constexpr ErrorText kInvalidFrequency{"ERR Invalid FREQ value, must be >= 0 and <= 255"};
inline constexpr ErrorText kNoGroup{"NOGROUP No such key or consumer group"};
inline constexpr ErrorText kInvalidStreamId{"ERR Invalid stream ID specified as stream command argument"};
inline constexpr ErrorText kLcsWrongType{"ERR The specified keys must contain string values"};
inline constexpr ErrorText kLcsIndexesAndLength{"ERR If you want both the length and indexes, please just use IDX."};
inline constexpr ErrorText kLcsTooLarge{"ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"};
inline constexpr ErrorText kFrequencyNotTracked{
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
    "between "
    "policies at runtime LRU and LFU data will take some time to adjust."};
inline constexpr ErrorText kIdleTimeNotTracked{
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies "
    "at "
    "runtime LRU and LFU data will take some time to adjust."};

// Streams
inline constexpr ErrorText kXAddIdZero{"ERR The ID specified in XADD must be greater than 0-0"};
inline constexpr ErrorText kXAddIdTooSmall{
    "ERR The ID specified in XADD is equal or smaller than the target stream top item"};
inline constexpr ErrorText kStreamExhausted{
    "ERR The stream has exhausted the last possible ID, unable to add more items"};
inline constexpr ErrorText kStreamEntryTooLarge{"ERR Elements are too large to be stored"};
inline constexpr ErrorText kInvalidStartId{"ERR invalid start ID for the interval"};
inline constexpr ErrorText kInvalidEndId{"ERR invalid end ID for the interval"};
inline constexpr ErrorText kTrimConflict{
    "ERR syntax error, MAXLEN and MINID options at the same time are not compatible"};
inline constexpr ErrorText kTrimLengthNegative{"ERR The MAXLEN argument must be >= 0."};
inline constexpr ErrorText kTrimLimitNegative{"ERR The LIMIT argument must be >= 0."};
inline constexpr ErrorText kTrimLimitAlone{
    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"};
inline constexpr ErrorText kTrimLimitExact{"ERR syntax error, LIMIT cannot be used without the special ~ option"};
inline constexpr ErrorText kTrimWithoutStrategy{"ERR syntax error, XTRIM must be called with a trimming strategy"};
inline constexpr ErrorText kEntriesAddedNegative{"ERR entries_added must be positive"};
inline constexpr ErrorText kSetIdBelowGivenDeleted{
    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"};
inline constexpr ErrorText kSetIdBelowDeleted{
    "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"};
inline constexpr ErrorText kSetIdBelowTop{"ERR The ID specified in XSETID is smaller than the target stream top item"};
inline constexpr ErrorText kEntriesAddedBelowLength{
    "ERR The entries_added specified in XSETID is smaller than the target stream length"};
inline constexpr ErrorText kGroupOnlyInXReadGroup{
    "ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."};
inline constexpr ErrorText kNoAckOnlyInXReadGroup{
    "ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."};
inline constexpr ErrorText kNewOnlyInXReadGroup{
    "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."};
inline constexpr ErrorText kXReadGroupWithoutGroup{"ERR Missing GROUP option for XREADGROUP"};
inline constexpr ErrorText kEndInXReadGroup{
    "ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by "
    "specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set."};
inline constexpr ErrorText kLastInXReadGroup{
    "ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by "
    "specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set."};
inline constexpr ErrorText kGroupNeedsKey{
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option "
    "to create an empty stream automatically."};
inline constexpr ErrorText kGroupExists{"BUSYGROUP Consumer Group name already exists"};
inline constexpr ErrorText kEntriesReadNegative{"ERR value for ENTRIESREAD must be positive or -1"};
inline constexpr ErrorText kClaimMinIdle{"ERR Invalid min-idle-time argument for XCLAIM"};
inline constexpr ErrorText kClaimIdle{"ERR Invalid IDLE option argument for XCLAIM"};
inline constexpr ErrorText kClaimTime{"ERR Invalid TIME option argument for XCLAIM"};
inline constexpr ErrorText kClaimRetryCount{"ERR Invalid RETRYCOUNT option argument for XCLAIM"};
inline constexpr ErrorText kAutoClaimMinIdle{"ERR Invalid min-idle-time argument for XAUTOCLAIM"};
inline constexpr ErrorText kAutoClaimCount{"ERR COUNT must be > 0"};

// Connection and permission
inline constexpr ErrorText kNoAuth{"NOAUTH Authentication required."};
inline constexpr ErrorText kNoAuthHello{
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> "
    "option can be used to authenticate the client and select the RESP protocol version at the same time"};
inline constexpr ErrorText kWrongPass{"WRONGPASS invalid username-password pair or user is disabled."};
inline constexpr ErrorText kAuthNotConfigured{
    "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration "
    "is correct?"};
inline constexpr ErrorText kNoProto{"NOPROTO unsupported protocol version"};
inline constexpr ErrorText kProtoNotInteger{"ERR Protocol version is not an integer or out of range"};
inline constexpr ErrorText kMaxClients{"ERR max number of clients reached"};
inline constexpr ErrorText kProtectedMode{
    "DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
    "default user. In this mode connections are only accepted from the loopback interface. To accept connections from "
    "other machines, either set a password (requirepass, or an ACL user), or run CONFIG SET protected-mode no from the "
    "same machine, or start the server with --protected-mode no; in the last two cases make sure that the server "
    "cannot "
    "be reached from the internet."};
inline constexpr ErrorText kNoSuchClient{"ERR No such client"};
inline constexpr ErrorText kClientName{"ERR Client names cannot contain spaces, newlines or special characters."};
inline constexpr ErrorText kUnblocked{"UNBLOCKED client unblocked via CLIENT UNBLOCK"};

// State of the server
inline constexpr ErrorText kOom{"OOM command not allowed when used memory > 'maxmemory'."};
inline constexpr ErrorText kLoading{"LOADING Redis is loading the dataset in memory"};
inline constexpr ErrorText kBusyScript{
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."};
inline constexpr ErrorText kBusyFunction{
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."};
inline constexpr ErrorText kNotBusy{"NOTBUSY No scripts in execution right now."};
inline constexpr ErrorText kUnkillable{
    "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script "
    "termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."};
inline constexpr ErrorText kNoScript{"NOSCRIPT No matching script. Please use EVAL."};
inline constexpr ErrorText kReadOnly{"READONLY You can't write against a read only replica."};
inline constexpr ErrorText kMasterDown{
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."};
inline constexpr ErrorText kNoReplicas{"NOREPLICAS Not enough good replicas to write."};
inline constexpr ErrorText kMisconfSnapshot{
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
    "may "
    "modify the data set are disabled, because this instance is configured to report errors during writes if RDB "
    "snapshotting fails (stop-writes-on-bgsave-error option). Please check the server logs for details about the RDB "
    "error."};
inline constexpr ErrorText kClusterDisabled{"ERR This instance has cluster support disabled"};
inline constexpr ErrorText kCrossSlot{"CROSSSLOT Keys in request don't hash to the same slot"};
inline constexpr ErrorText kSaveInProgress{"ERR Background save already in progress"};
inline constexpr ErrorText kOtherSnapshotInProgress{
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a "
    "BGSAVE "
    "whenever possible."};
inline constexpr ErrorText kReloadFailed{"ERR Error trying to load the RDB dump, check server logs."};
inline constexpr ErrorText kNoSaveInProgress{"ERR Background saving is currently not in progress or scheduled"};
inline constexpr ErrorText kRewriteInProgress{"ERR Background append only file rewriting already in progress"};
inline constexpr ErrorText kShutdownFailed{"ERR Errors trying to SHUTDOWN. Check logs."};
inline constexpr ErrorText kShutdownNotInProgress{"ERR No shutdown in progress."};

inline constexpr ErrorText kMonitorTouchesKeys{"ERR Replica can't interact with the keyspace"};

// Transactions
inline constexpr ErrorText kMultiNested{"ERR MULTI calls can not be nested"};
inline constexpr ErrorText kExecWithoutMulti{"ERR EXEC without MULTI"};
inline constexpr ErrorText kDiscardWithoutMulti{"ERR DISCARD without MULTI"};
inline constexpr ErrorText kWatchInsideMulti{"ERR WATCH inside MULTI is not allowed"};
inline constexpr ErrorText kExecAbort{"EXECABORT Transaction discarded because of previous errors."};
inline constexpr ErrorText kNotAllowedInTransaction{"ERR Command not allowed inside a transaction"};

// Texts with parameters. Names of commands are given as the wire shows them: lower case, "config|get" for a subcommand.

// "ERR wrong number of arguments for 'get' command"
std::string wrong_arity_error(Bytes full_command_name);
// "ERR unknown command 'foo', with args beginning with: 'a' 'b' ", cut as Redis cuts: 128 bytes of name, 128 of
// arguments.
std::string unknown_command_error(Bytes name, const Bytes* args, size_t arg_count);
// "ERR unknown subcommand 'foo'. Try CONFIG HELP."  `container` in any case, shown in upper case.
std::string unknown_subcommand_error(Bytes container, Bytes subcommand);
// "ERR invalid expire time in 'set' command"
std::string invalid_expire_error(Bytes full_command_name);
// "ERR Unsupported option foo", EXPIRE's answer to an unknown word
std::string unsupported_option_error(Bytes option);
// "NOPERM User alice has no permissions to run the 'get' command"
std::string no_command_permission_error(Bytes user, Bytes full_command_name);
// "NOPERM No permissions to access a key" and its relative for channels
inline constexpr ErrorText kNoKeyPermission{"NOPERM No permissions to access a key"};
inline constexpr ErrorText kNoChannelPermission{"NOPERM No permissions to access a channel"};
// "ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context"
std::string subscribed_context_error(Bytes full_command_name);
// "ERR DEBUG command not allowed. If the enable-debug-command option ..."  `command`: "debug" or "module".
std::string protected_command_error(Bytes command);
// "MISCONF Errors writing to the AOF file: <reason>"
std::string log_error(Bytes reason);
// "EXECABORT Transaction discarded because of: <text>"
std::string exec_abort_error(Bytes reason);
// "NOGROUP No such key 'k' or consumer group 'g'"
std::string no_group_error(Bytes key, Bytes group);

}  // namespace larder
