#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kConnectionDocRows[] = {
    {"auth", "Proves who the client is.", "1.0.0", "O(N), N the number of passwords of the user",
     "[username] password"},
    {"hello", "Introduces client and server to each other and chooses the protocol version.", "6.0.0", "O(1)",
     "[protover [AUTH username password] [SETNAME clientname]]"},
    {"ping", "Answers PONG, or the message that it was given.", "1.0.0", "O(1)", "[message]"},
    {"echo", "Answers with the message.", "1.0.0", "O(1)", "message"},
    {"select", "Chooses the database of this connection.", "1.0.0", "O(1)", "index"},
    {"quit", "Closes the connection.", "1.0.0", "O(1)", ""},
    {"reset", "Puts the connection into the state of a new one.", "6.2.0", "O(1)", ""},
};

}  // namespace

constinit const std::span<const CommandDocs> kConnectionDocs = kConnectionDocRows;

}  // namespace larder
