#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kTransactionDocRows[] = {
    {"multi", "Begins a transaction.", "1.2.0", "O(1)", ""},
    {"exec", "Runs everything queued since MULTI.", "1.2.0", "Depends on the queued commands.", ""},
    {"discard", "Drops the transaction.", "2.0.0", "O(N), N the number of queued commands", ""},
    {"watch", "Lets the next transaction run only if these keys stay as they are.", "2.2.0", "O(1) for each key",
     "key [key ...]"},
    {"unwatch", "Forgets all watched keys.", "2.2.0", "O(1)", ""},
};

}  // namespace

constinit const std::span<const CommandDocs> kTransactionDocs = kTransactionDocRows;

}  // namespace larder
