// What is told about scripts: see server/core/command_docs.h for the notation.

#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kScriptDocRows[] = {
    {"eval", "Runs a Lua script on the server.", "2.6.0", "Depends on the script that is run",
     "script:string numkeys:integer [key ...] [arg ...]"},
    {"evalsha", "Runs a Lua script that the server knows, by the SHA-1 of its text.", "2.6.0",
     "Depends on the script that is run", "sha1:string numkeys:integer [key ...] [arg ...]"},
    {"eval_ro", "Runs a Lua script that may not write.", "7.0.0", "Depends on the script that is run",
     "script:string numkeys:integer [key ...] [arg ...]"},
    {"evalsha_ro", "Runs a Lua script that the server knows and that may not write, by the SHA-1 of its text.", "7.0.0",
     "Depends on the script that is run", "sha1:string numkeys:integer [key ...] [arg ...]"},
    {"fcall", "Runs a function of a library.", "7.0.0", "Depends on the function that is run",
     "function:string numkeys:integer [key ...] [arg ...]"},
    {"fcall_ro", "Runs a function of a library that may not write.", "7.0.0", "Depends on the function that is run",
     "function:string numkeys:integer [key ...] [arg ...]"},
    {"function", "A container for commands about functions.", "7.0.0", "Depends on the subcommand", ""},
    {"function|delete", "Removes a library and its functions.", "7.0.0", "O(1)", "library-name:string"},
    {"function|dump", "Returns all libraries as a payload for FUNCTION RESTORE.", "7.0.0",
     "O(N) in the number of libraries", ""},
    {"function|flush", "Removes all libraries.", "7.0.0", "O(N) in the number of libraries", "[ASYNC | SYNC]"},
    {"function|help", "Lists the subcommands.", "7.0.0", "O(1)", ""},
    {"function|kill", "Ends the function that is running, if it has not written yet.", "7.0.0", "O(1)", ""},
    {"function|list", "Lists libraries and their functions.", "7.0.0", "O(N) in the number of functions",
     "[LIBRARYNAME library-name-pattern:string] [WITHCODE]"},
    {"function|load", "Makes a library of functions.", "7.0.0", "O(1), considering the compilation constant",
     "[REPLACE] function-code:string"},
    {"function|restore", "Brings libraries back from a payload of FUNCTION DUMP.", "7.0.0",
     "O(N) in the number of libraries", "serialized-value:string [FLUSH | APPEND | REPLACE]"},
    {"function|stats", "Tells which function is running, and how many there are.", "7.0.0", "O(1)", ""},
    {"script", "A container for commands about scripts.", "2.6.0", "Depends on the subcommand", ""},
    {"script|debug", "Would turn the script debugger on, which Larder does not have; takes NO.", "3.2.0", "O(1)",
     "< YES | SYNC | NO >"},
    {"script|exists", "Tells which scripts the server knows.", "2.6.0", "O(N) in the number of names",
     "sha1:string [sha1:string ...]"},
    {"script|flush", "Forgets all scripts.", "2.6.0", "O(1)", "[ASYNC | SYNC]"},
    {"script|help", "Lists the subcommands.", "5.0.0", "O(1)", ""},
    {"script|kill", "Ends the script that is running, if it has not written yet.", "2.6.0", "O(1)", ""},
    {"script|load", "Makes a script known and returns the SHA-1 of its text.", "2.6.0",
     "O(N) in the length of the script", "script:string"},
    {"script|show", "Returns the text of a script that the server knows.", "8.0.0", "O(1)", "sha1:string"},
};

}  // namespace

extern constinit const std::span<const CommandDocs> kScriptDocs = kScriptDocRows;

}  // namespace larder
