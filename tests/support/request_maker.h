#pragma once

// Random requests of every command, made from the grammar in its documentation, with values that often meet each other and
// hostile ones among them.
//
//     RequestMaker maker(registry, random, {"shutdown", "debug"});
//     client.send_request(maker.make());

#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "server/core/argument_grammar.h"
#include "server/core/registry.h"

namespace larder::testing {

class RequestMaker {
 public:
  using Request = std::vector<std::string>;

  // Of all commands but those with an excluded full name ("client|kill") or first name. Registry and random outlive this.
  RequestMaker(const Registry& registry, Random& random, std::span<const Bytes> excluded);
  Request make();

 private:
  struct Entry {
    const Command* command;
    std::vector<GrammarArgument> grammar;
  };

  void add(const GrammarArgument& argument, Request& request);
  // Now and then a request that no grammar allows.
  void spoil(Request& request);
  std::string value(GrammarArgument::Type type);
  std::string integer();
  std::string hostile();

  Random& random_;
  std::vector<Entry> commands_;
};

}  // namespace larder::testing
