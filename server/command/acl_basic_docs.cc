#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kAclDocRows[] = {
    {"acl", "Commands about users and their rights.", "6.0.0", "Depends on the subcommand.", ""},
    {"acl|cat", "The categories of commands, or the commands of one.", "6.0.0", "O(N), N the number of commands",
     "[category]"},
    {"acl|genpass", "A password that cannot be guessed.", "6.0.0", "O(1)", "[bits:integer]"},
    {"acl|help", "Describes the subcommands.", "6.0.0", "O(1)", ""},
    {"acl|users", "The names of all users.", "6.0.0", "O(1)", ""},
    {"acl|whoami", "The name of the user of this connection.", "6.0.0", "O(1)", ""},
};

}  // namespace

constinit const std::span<const CommandDocs> kAclDocs = kAclDocRows;

}  // namespace larder
