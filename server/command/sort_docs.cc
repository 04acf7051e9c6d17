// What is told about the sort commands: see server/core/command_docs.h for the notation.

#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kSortDocRows[] = {
    {"sort", "Sorts the elements of a list, a set or a sorted set, and may store the result.", "1.0.0",
     "O(N+M*log(M)), N the number of elements and M of those returned",
     "key [BY by-pattern:pattern] [LIMIT offset:integer count:integer] [GET get-pattern:pattern [GET "
     "get-pattern:pattern ...]] "
     "[ASC | DESC] [ALPHA] [STORE destination:key]"},
    {"sort_ro", "Sorts the elements of a list, a set or a sorted set.", "7.0.0",
     "O(N+M*log(M)), N the number of elements and M of those returned",
     "key [BY by-pattern:pattern] [LIMIT offset:integer count:integer] [GET get-pattern:pattern [GET "
     "get-pattern:pattern ...]] "
     "[ASC | DESC] [ALPHA]"},
};

}  // namespace

constinit const std::span<const CommandDocs> kSortDocs = kSortDocRows;

}  // namespace larder
