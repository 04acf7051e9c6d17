// What is told about the bitmap commands: see server/core/command_docs.h for the notation.

#include "server/command/bitmap_handlers.h"

namespace larder {
namespace {

constexpr CommandDocs kBitmapDocRows[] = {
    {"bitcount", "Counts the bits that are set in a string, or in a part of it.", "2.6.0",
     "O(N) in the length of the string or part", "key [start:integer end:integer [BYTE | BIT]]"},
    {"bitfield", "Reads, sets and counts up integers of any width at any bit of a string.", "3.2.0",
     "O(1) for each operation",
     "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value:integer | "
     "INCRBY encoding offset increment:integer> ...]"},
    {"bitfield_ro", "Reads integers of any width at any bit of a string.", "6.0.0", "O(1) for each operation",
     "key [GET encoding offset ...]"},
    {"bitop", "Combines the bits of several strings and stores the result.", "2.6.0",
     "O(N) in the total length of the strings",
     "<AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey:key key [key ...]"},
    {"bitpos", "Finds the first bit that is set, or not set, in a string or in a part of it.", "2.8.7",
     "O(N) in the number of bytes up to it", "key bit:integer [start:integer [end:integer [BYTE | BIT]]]"},
    {"getbit", "Returns one bit of a string.", "2.2.0", "O(1)", "key offset:integer"},
    {"setbit", "Sets or clears one bit of a string, which grows when needed, and returns what it was.", "2.2.0", "O(1)",
     "key offset:integer value:integer"},
};

}  // namespace

extern constinit const std::span<const CommandDocs> kBitmapDocs = kBitmapDocRows;

}  // namespace larder
