// Strings: a number, or bytes that are compressed when that makes them shorter.

#include "persistence/rdb_codecs.h"

namespace larder {

bool read_rdb_string(RdbInput& in, RdbPlace& place, int64_t deadline_ms) {
  if (!in.text(&place.text)) return false;
  return place.keyspace.add_string(place.key, place.text.bytes(), deadline_ms, place.now_ms) ||
         in.corrupt("a key that was there already");
}

void write_rdb_string(RdbEncoder& out, Store& store, const Entry& entry) {
  switch (entry.encoding()) {
    case Encoding::kInteger:
      return out.text(entry.integer());
    case Encoding::kBlob:
      if (entry.blob()->size() >= RdbEncoder::kPinBytesMin) return out.pinned_text(store.pin(entry));
      return out.text(entry.blob()->bytes());
    default:
      return out.text(entry.value());
  }
}

}  // namespace larder
