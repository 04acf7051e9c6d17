// The handle on a stream's key. A stream is always a structure (there is no packed form), so all that the handle does is
// to reach it and to create the key.
//
//   auto value = keyspace.edit_or_create<StreamValue>(key, now_ms);
//   if (!value) return wrong type;
//   value->stream_or_create().append(id, fields, limits);
//
// The StreamStructure stays where it is until its key goes; look-ups of other keys do not move it.
#pragma once

#include "storage/collection_handle.h"
#include "storage/stream_structure.h"

namespace larder {

class StreamValue : public CollectionHandle {
 public:
  static constexpr ValueType kType = ValueType::kStream;
  using CollectionHandle::CollectionHandle;

  // Requires: exists(). To change it, reach it through Keyspace::edit or edit_or_create.
  StreamStructure& stream() const { return *static_cast<StreamStructure*>(structure()); }
  // Creates the key, with an empty stream, if there is none.
  StreamStructure& stream_or_create() {
    if (!exists()) create_structure_entry(kType, create_structure<StreamStructure>(resources()));
    return stream();
  }
};

}  // namespace larder
