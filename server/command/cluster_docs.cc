#include "server/command/family_docs.h"

namespace larder {
namespace {

constexpr CommandDocs kClusterDocRows[] = {
    {"cluster", "Commands of a cluster.", "3.0.0", "Depends on the subcommand.", ""},
    {"cluster|addslots", "Gives slots to this node.", "3.0.0", "O(1)", "slot:integer [slot:integer ...]"},
    {"cluster|addslotsrange", "Gives ranges of slots to this node.", "7.0.0", "O(1)",
     "start-slot:integer end-slot:integer [start-slot:integer end-slot:integer ...]"},
    {"cluster|bumpepoch", "Advances the configuration epoch.", "3.0.0", "O(1)", ""},
    {"cluster|count-failure-reports", "How many nodes report a node as failing.", "3.0.0", "O(1)", "node-id"},
    {"cluster|countkeysinslot", "How many keys a slot has.", "3.0.0", "O(1)", "slot:integer"},
    {"cluster|delslots", "Takes slots from this node.", "3.0.0", "O(1)", "slot:integer [slot:integer ...]"},
    {"cluster|delslotsrange", "Takes ranges of slots from this node.", "7.0.0", "O(1)",
     "start-slot:integer end-slot:integer [start-slot:integer end-slot:integer ...]"},
    {"cluster|failover", "Makes this replica the primary.", "3.0.0", "O(1)", "[FORCE | TAKEOVER]"},
    {"cluster|flushslots", "Takes all slots from this node.", "3.0.0", "O(1)", ""},
    {"cluster|forget", "Removes a node.", "3.0.0", "O(1)", "node-id"},
    {"cluster|getkeysinslot", "Keys of a slot.", "3.0.0", "O(1)", "slot:integer count"},
    {"cluster|help", "Describes the subcommands.", "5.0.0", "O(1)", ""},
    {"cluster|info", "The state of the cluster.", "3.0.0", "O(1)", ""},
    {"cluster|keyslot", "The slot of a key.", "3.0.0", "O(1)", "key:string"},
    {"cluster|links", "The links to other nodes.", "7.0.0", "O(1)", ""},
    {"cluster|meet", "Makes two nodes know each other.", "3.0.0", "O(1)", "ip port [cluster-bus-port:integer]"},
    {"cluster|myid", "The id of this node.", "3.0.0", "O(1)", ""},
    {"cluster|myshardid", "The id of this shard.", "7.2.0", "O(1)", ""},
    {"cluster|nodes", "The nodes and their slots.", "3.0.0", "O(1)", ""},
    {"cluster|replicas", "The replicas of a node.", "5.0.0", "O(1)", "node-id"},
    {"cluster|replicate", "Makes this node a replica.", "3.0.0", "O(1)", "<node-id | NO ONE>"},
    {"cluster|reset", "Forgets the cluster.", "3.0.0", "O(1)", "[HARD | SOFT]"},
    {"cluster|saveconfig", "Writes the cluster configuration to disk.", "3.0.0", "O(1)", ""},
    {"cluster|set-config-epoch", "Sets the epoch of a new node.", "3.0.0", "O(1)", "config-epoch:integer"},
    {"cluster|setslot", "Binds a slot to a node or moves it.", "3.0.0", "O(1)",
     "slot:integer <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>"},
    {"cluster|shards", "The shards and their nodes.", "7.0.0", "O(1)", ""},
    {"cluster|slaves", "The replicas of a node.", "3.0.0", "O(1)", "node-id"},
    {"cluster|slots", "Which nodes serve which slots.", "3.0.0", "O(1)", ""},
    {"asking", "Follows a redirection to a slot that is being moved.", "3.0.0", "O(1)", ""},
    {"readonly", "Allows reads from a replica of the cluster.", "3.0.0", "O(1)", ""},
    {"readwrite", "Ends READONLY.", "3.0.0", "O(1)", ""},
};

}  // namespace

constinit const std::span<const CommandDocs> kClusterDocs = kClusterDocRows;

}  // namespace larder
