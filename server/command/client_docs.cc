#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kClientDocRows[] = {
    {"client", "Commands about client connections.", "2.4.0", "Depends on the subcommand.", ""},
    {"client|id", "The number of this connection.", "5.0.0", "O(1)", ""},
    {"client|info", "A line of facts about this connection.", "6.2.0", "O(1)", ""},
    {"client|list", "A line of facts about each connection.", "2.4.0", "O(N), N the number of connected clients",
     "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]] [USER username] [ADDR address] [LADDR "
     "address] [SKIPME <YES | NO>] [MAXAGE maxage:integer]"},
    {"client|getname", "The name of this connection.", "2.6.9", "O(1)", ""},
    {"client|setname", "Gives this connection a name.", "2.6.9", "O(1)", "connection-name"},
    {"client|setinfo", "Tells the name or version of the client library.", "7.2.0", "O(1)",
     "<LIB-NAME libname | LIB-VER libver>"},
    {"client|kill", "Closes the connections that match.", "2.4.0", "O(N), N the number of connected clients",
     "<old-address | [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]] [USER username] [ADDR "
     "address] [LADDR address] [SKIPME <YES | NO>] [MAXAGE maxage:integer]>"},
    {"client|no-evict", "Keeps this client when clients are closed for lack of memory.", "7.0.0", "O(1)", "<ON | OFF>"},
    {"client|no-touch", "Whether commands of this client count as a use of their keys.", "7.2.0", "O(1)", "<ON | OFF>"},
    {"client|reply", "Whether the server answers commands of this connection.", "3.2.0", "O(1)", "<ON | OFF | SKIP>"},
    {"client|pause", "Lets clients wait before their commands run.", "3.0.0", "O(1)", "timeout [WRITE | ALL]"},
    {"client|unpause", "Ends a pause.", "6.2.0", "O(N), N the number of paused clients", ""},
    {"client|unblock", "Ends the waiting of another client's blocking command.", "5.0.0",
     "O(log N), N the number of waiting clients", "client-id [TIMEOUT | ERROR]"},
    {"client|tracking", "Tells the client when keys change that it has read, or all keys that begin in some way.",
     "6.0.0", "O(1), some options O(N), N the number of prefixes",
     "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]"},
    {"client|caching", "Whether the keys of the next command are tracked.", "6.0.0", "O(1)", "<YES | NO>"},
    {"client|getredir", "Which client gets the invalidations of this one.", "6.0.0", "O(1)", ""},
    {"client|trackinginfo", "How key tracking is set up for this connection.", "6.2.0", "O(1)", ""},
    {"client|capa", "Tells what the client is able to do.", "8.0.0", "O(1)", "capability [capability ...]"},
    {"client|help", "Describes the subcommands.", "5.0.0", "O(1)", ""},
};

}  // namespace

constinit const std::span<const CommandDocs> kClientDocs = kClientDocRows;

}  // namespace larder
