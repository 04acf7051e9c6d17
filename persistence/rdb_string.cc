// Strings: a number, or bytes that are compressed when that makes them shorter.

#include "persistence/rdb_codecs.h"

namespace larder {

bool read_rdb_string(RdbInput& in, RdbValue* value) {
  if (!in.text(&value->text)) return false;
  value->type = ValueType::kString;
  value->encoding = Encoding::kEmbedded;
  value->bytes = value->text.bytes();
  return true;
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
