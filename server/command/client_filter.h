#pragma once

// Which clients CLIENT LIST and CLIENT KILL mean: `ADDR a TYPE normal NOT-USER u ...`, every condition at once.
//
// A condition is a word and a value; ID takes several values. NOT- in front of a word turns it around (NOT-ID: none of
// these). SKIPME is a condition of its own.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "protocol/arg_reader.h"
#include "server/core/client.h"

namespace larder {

class ClientFilter {
 public:
  // The commands differ in how they refuse an id.
  enum class Use : uint8_t { kList, kKill };

  explicit ClientFilter(Use use) : use_(use) {}

  // Consumes all arguments. False when they are malformed; `error` is the text for the wire then.
  [[nodiscard]] bool parse(ArgReader& args, std::string& error);
  // SKIPME where it was not given.
  void set_skip_self(bool skip) { skip_self_ = skip; }

  // The clients that an ID condition names, in its order and each of them once: no other can match. Empty without one.
  std::span<const int64_t> ids() const { return ids_; }

  // `self` is the client that asks. A client that is being closed matches nothing.
  bool matches(const Client& client, const Client& self, int64_t now_ms) const;

 private:
  enum class Field : uint8_t {
    kId,
    kAddr,
    kLaddr,
    kIp,
    kType,
    kUser,
    kName,
    kLibName,
    kLibVer,
    kFlags,
    kDb,
    kCapa,
    kMaxAge,
    kIdle
  };
  struct Condition {
    Field field;
    bool negated = false;
    Bytes text;
    std::vector<int64_t> numbers;
  };
  struct Word {
    Bytes word;
    Field field;
  };
  static const Word kWords[14];

  static const Word* find_word(Bytes word, bool* negated);
  bool read_value(ArgReader& args, Condition& condition, std::string& error);
  bool read_ids(ArgReader& args, Condition& condition, std::string& error);
  static bool holds(const Condition& condition, const Client& client, int64_t now_ms);

  Use use_;
  bool skip_self_ = false;
  std::vector<Condition> conditions_;
  std::vector<int64_t> ids_;
};

}  // namespace larder
