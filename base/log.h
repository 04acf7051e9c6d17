// The server's log: one line per event, in the form that operators of Redis and their tools know:
//   31415:M 21 Nov 2026 14:03:07.123 * Ready to accept connections
//   pid : role, local time, mark of the level (. debug, - verbose, * notice, # warning), text
//
// Text is built from a pattern in which each "{}" takes the next argument; nothing is built for a level that is off.
// Control bytes in arguments are escaped, so a key or client name cannot forge a line. Not for use from several threads
// at once unless the sink says so: a Log belongs to its thread.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace larder {

enum class LogLevel : uint8_t { kDebug, kVerbose, kNotice, kWarning, kNothing };

// Where lines go. `line` ends with a newline and is valid during the call only.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void write_line(LogLevel level, Bytes line) = 0;
};

// Standard output, the file at `path` (opened anew for each line is too slow; it is kept open and opened again when it
// was moved away), the system log. All may be written from any thread: each line is one write call (os_log.cc).
std::unique_ptr<LogSink> make_stdout_log_sink();
Result<std::unique_ptr<LogSink>> open_file_log_sink(const std::string& path);
std::unique_ptr<LogSink> make_system_log_sink(const std::string& identity, int facility_local);
int64_t os_process_id();

// Keeps lines in memory: for tests.
class MemoryLogSink final : public LogSink {
 public:
  void write_line(LogLevel, Bytes line) override { text_.append(line); }
  const std::string& text() const { return text_; }
  void clear() { text_.clear(); }

 private:
  std::string text_;
};

// One argument of a log line. Built on the caller's stack; borrows text.
class LogValue {
 public:
  LogValue(Bytes text) : kind_(Kind::kText), text_(text) {}
  LogValue(const char* text) : LogValue(Bytes(text)) {}
  LogValue(const std::string& text) : LogValue(Bytes(text)) {}
  LogValue(double value) : kind_(Kind::kDouble), double_(value) {}
  LogValue(bool value) : LogValue(value ? Bytes("yes") : Bytes("no")) {}
  LogValue(char value) : kind_(Kind::kChar), signed_(value) {}
  template <class T>
  requires(std::is_integral_v<T>) LogValue(T value) : kind_(std::is_signed_v<T> ? Kind::kSigned : Kind::kUnsigned) {
    if constexpr (std::is_signed_v<T>) {
      signed_ = value;
    } else {
      unsigned_ = value;
    }
  }

  void append_to(std::string* out) const;

 private:
  enum class Kind : uint8_t { kText, kSigned, kUnsigned, kDouble, kChar };
  Kind kind_;
  union {
    Bytes text_;
    int64_t signed_;
    uint64_t unsigned_;
    double double_;
  };
};

// "a {} b {}" with its arguments filled in. More "{}" than arguments stay as they are; more arguments are appended.
std::string format_text(Bytes pattern, std::initializer_list<LogValue> values);

class Log {
 public:
  // Borrows both; they outlive the log.
  Log(LogSink& sink, const Clock& clock, LogLevel level = LogLevel::kNotice);

  void set_level(LogLevel level) { level_ = level; }
  LogLevel level() const { return level_; }
  void set_sink(LogSink& sink) { sink_ = &sink; }
  // 'M' master, 'S' replica, 'C' helper or child, 'X' sentinel, as Redis marks its lines.
  void set_role(char role) { role_ = role; }
  void set_process_id(int64_t process_id) { process_id_ = process_id; }
  bool enabled(LogLevel level) const { return level >= level_; }

  template <class... Values>
  void debug(Bytes pattern, const Values&... values) {
    if (enabled(LogLevel::kDebug)) write(LogLevel::kDebug, pattern, {LogValue(values)...});
  }
  template <class... Values>
  void verbose(Bytes pattern, const Values&... values) {
    if (enabled(LogLevel::kVerbose)) write(LogLevel::kVerbose, pattern, {LogValue(values)...});
  }
  template <class... Values>
  void notice(Bytes pattern, const Values&... values) {
    if (enabled(LogLevel::kNotice)) write(LogLevel::kNotice, pattern, {LogValue(values)...});
  }
  template <class... Values>
  void warning(Bytes pattern, const Values&... values) {
    if (enabled(LogLevel::kWarning)) write(LogLevel::kWarning, pattern, {LogValue(values)...});
  }

  void write(LogLevel level, Bytes pattern, std::initializer_list<LogValue> values);

 private:
  LogSink* sink_;
  const Clock* clock_;
  LogLevel level_;
  char role_ = 'M';
  int64_t process_id_;
};

}  // namespace larder
