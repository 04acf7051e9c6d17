#pragma once

// Replies of all members of a large set, or all fields of a large hash, that are written while they are sent: SMEMBERS, HGETALL,
// HKEYS, HVALS. The reply is the collection as it was when the command ran, whatever becomes of it meanwhile.
//
//   entry ──▶ Structure ◀──guard── CollectionReply: a position in the order of the hashes, and what had to be written early
//                                        │ write_some(), when the socket took the piece before
//                                        ▼
//                                   OutputQueue of the client
//
// It follows changes as a snapshot does: what the walk (storage/table_walk.h) wants to be read early is written at once into chunks of
// its own. So a change costs a look-up and the copy of an item. A structure that nobody else needs
// any more (DEL, SET, FLUSHALL, expiry) is left to the reply, which disposes of it at its end.
//
// A structure has one guard. While a snapshot or another reply holds it, a reply is made whole as for a small collection; and
// when a snapshot comes to a structure that a reply holds, what is left of the reply is written at once (stand_aside).

#include <cstdint>
#include <deque>
#include <memory>

#include "base/buffer.h"
#include "base/bytes.h"
#include "protocol/reply_source.h"
#include "protocol/reply_writer.h"
#include "storage/hash_structure.h"
#include "storage/keyspace.h"
#include "storage/set_structure.h"
#include "storage/structure.h"
#include "storage/table_walk.h"

namespace larder {

class CollectionReply : public ReplySource, public StructureGuard {
 public:
  // Collections below this are copied into the output at once, in some hundreds of microseconds.
  static constexpr size_t kStructureBytesMin = 1024 * 1024;

  // Whether a reply of all of `structure` (null: packed, or none) is to be written while it is sent.
  static bool serves(const ReplyWriter& reply, const Structure* structure) {
    return structure != nullptr && reply.takes_sources() && structure->memory_bytes() >= kStructureBytesMin &&
           structure->guard() == nullptr;
  }

  // Requires: the structure has no guard. The store outlives the reply.
  CollectionReply(Store& store, Structure& structure);
  ~CollectionReply() override;
  CollectionReply(const CollectionReply&) = delete;
  CollectionReply& operator=(const CollectionReply&) = delete;

  bool write_some(ReplyWriter& out) final;
  size_t held_bytes() const final { return early_bytes_ + stored_bytes(); }
  size_t stored_bytes() const final;

  bool is_snapshot() const final { return false; }
  void stand_aside() final;
  void changing() final {}
  void item_changing(uint64_t hash, const void* item) final;
  void item_coming(uint64_t hash, Bytes name) final { walk_.item_coming(hash, name); }
  void left_over() final { is_left_over_ = true; }

 protected:
  // For walk_some(): writes an item that the walk has met, unless it is not its turn.
  void meet(ReplyWriter& out, const void* item);

 private:
  static constexpr size_t kPieceBytes = 64 * 1024;

  // Calls meet() for the items of the next bucket. Returns the position of the one after it; 0 at the end.
  virtual uint64_t walk_some(ReplyWriter& out, uint64_t position) = 0;
  virtual void write_item(ReplyWriter& out, const void* item) const = 0;
  virtual Bytes name_of(const void* item) const = 0;

  Buffer& early_chunk();
  void let_go();

  Store& store_;
  Structure* structure_;  // null when it is let go
  TableWalk walk_;
  bool is_left_over_ = false;
  std::deque<Buffer> early_;
  size_t early_bytes_ = 0;
};

enum class HashParts : uint8_t { kNames, kValues, kBoth };

// Sources of the elements; the header is written before. Requires: serves(); no field of a hash has a deadline.
std::unique_ptr<ReplySource> members_reply(Store& store, SetStructure& set);
std::unique_ptr<ReplySource> fields_reply(Store& store, HashStructure& hash, HashParts parts);

}  // namespace larder
