// What is told about scripts: see server/core/command_docs.h for the notation.

#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kDocs[] = {
    {"eval", "Runs a Lua script on the server.", "2.6.0", "Depends on the script that is run",
     "script:string numkeys:integer [key ...] [arg ...]"},
    {"evalsha", "Runs a Lua script that the server knows, by the SHA-1 of its text.", "2.6.0",
     "Depends on the script that is run", "sha1:string numkeys:integer [key ...] [arg ...]"},
    {"eval_ro", "Runs a Lua script that may not write.", "7.0.0", "Depends on the script that is run",
     "script:string numkeys:integer [key ...] [arg ...]"},
    {"evalsha_ro", "Runs a Lua script that the server knows and that may not write, by the SHA-1 of its text.", "7.0.0",
     "Depends on the script that is run", "sha1:string numkeys:integer [key ...] [arg ...]"},
    {"script", "A container for commands about scripts.", "2.6.0", "Depends on the subcommand", ""},
    {"script|debug", "Would turn the script debugger on, which Larder does not have; takes NO.", "3.2.0", "O(1)",
     "< YES | SYNC | NO >"},
    {"script|exists", "Tells which scripts the server knows.", "2.6.0", "O(N) in the number of names",
     "sha1:string [sha1:string ...]"},
    {"script|flush", "Forgets all scripts.", "2.6.0", "O(1)", "[ASYNC | SYNC]"},
    {"script|help", "Lists the subcommands.", "5.0.0", "O(1)", ""},
    {"script|kill", "Ends the script that is running, if it has not written yet.", "2.6.0", "O(1)", ""},
    {"script|load", "Makes a script known and returns the SHA-1 of its text.", "2.6.0", "O(N) in the length of the script",
     "script:string"},
    {"script|show", "Returns the text of a script that the server knows.", "8.0.0", "O(1)", "sha1:string"},
};

}  // namespace

extern constinit const std::span<const CommandDocs> kScriptDocs = kDocs;

}  // namespace larder
