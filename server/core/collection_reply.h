#pragma once

// Replies of all or much of a large collection that are written while they are sent: SMEMBERS, SPOP of most members, HGETALL,
// HKEYS, HVALS, LRANGE and the ZRANGE family. The reply is the collection as it was when the command ran, whatever becomes of it meanwhile.
//
//   entry ──▶ Structure ◀──guard── CollectionReply: a position in it, and what had to be kept because it changed
//                                        │ write_some(), when the socket took the piece before
//                                        ▼
//                                   OutputQueue of the client
//
// It follows changes as a snapshot does:
//   set, hash    in the order of the hashes (storage/table_walk.h): an item that changes or goes before its turn is written
//                at once into chunks of its own, one that comes is left out
//   list         the first change freezes the nodes that are left (ListStructure::freeze)
//   sorted set   in the order of the scores: a member that changes or goes before its turn is kept in a small sorted set beside it,
//                from which it is written in its turn; members that came are left out by their names
// A structure that nobody else needs any more (DEL, SET, FLUSHALL, expiry) is left to those who read it: the last one disposes
// of it.
//
// Several replies and a snapshot may read one structure, each tells apart what it needs. As each change costs each of them
// something, a reply beyond kGuardsMax is made whole as for a small collection.

#include <cstdint>
#include <memory>

#include "protocol/reply_source.h"
#include "protocol/reply_writer.h"
#include "storage/hash_structure.h"
#include "storage/keyspace.h"
#include "storage/list_structure.h"
#include "storage/set_structure.h"
#include "storage/structure.h"
#include "storage/zset_structure.h"

namespace larder {

class CollectionReply : public ReplySource, public StructureGuard {
 public:
  // What takes less memory is copied into the output at once, in some hundreds of microseconds.
  static constexpr size_t kStructureBytesMin = 1024 * 1024;
  // A reply keeps all of a structure in memory when its key goes, however slow its reader is: a smaller part is copied, too,
  // unless that is too much for one turn.
  static constexpr double kPartMin = 0.125;
  static constexpr size_t kCopiedBytesMax = 8 * 1024 * 1024;
  static constexpr size_t kGuardsMax = 8;
  // About what a piece adds to the output.
  static constexpr size_t kPieceBytes = 64 * 1024;

  // Whether a reply of `count` elements of `structure` (null: packed, or none) is to be written while it is sent.
  static bool serves(const ReplyWriter& reply, const Structure* structure, size_t count);
  static bool serves(const ReplyWriter& reply, const Structure* structure) {
    return structure != nullptr && serves(reply, structure, structure->size());
  }

  ~CollectionReply() override;
  CollectionReply(const CollectionReply&) = delete;
  CollectionReply& operator=(const CollectionReply&) = delete;

  bool is_snapshot() const final { return false; }
  void changing() override {}
  void item_changing(uint64_t, const void*) override {}
  void item_coming(uint64_t, Bytes) override {}

 protected:
  // The store outlives the reply.
  CollectionReply(Store& store, Structure& structure);

  Store& store() const { return store_; }
  // Of a structure that only replies still need: the first of them counts it.
  size_t left_over_bytes() const;

 private:
  Store& store_;
  Structure& structure_;
};

enum class HashParts : uint8_t { kNames, kValues, kBoth };
enum class RangeScores : uint8_t { kNone, kFlat, kNested };

// Sources of the elements; the header is written before. Requires: serves(); no field of a hash is due.
std::unique_ptr<ReplySource> members_reply(Store& store, SetStructure& set);
std::unique_ptr<ReplySource> fields_reply(Store& store, HashStructure& hash, HashParts parts);
// Elements from `index` on. Requires: they exist.
std::unique_ptr<ReplySource> elements_reply(Store& store, ListStructure& list, size_t index, size_t count);
// Members from `rank` on, upwards or downwards. Requires: they exist. Scores as the protocol's version writes doubles.
std::unique_ptr<ReplySource> range_reply(Store& store, ZsetStructure& zset, size_t rank, size_t count, bool downwards,
                                         RangeScores scores);

}  // namespace larder
