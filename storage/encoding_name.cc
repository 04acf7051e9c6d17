#include "storage/encoding_name.h"

#include "storage/collection_sizes.h"
#include "storage/structure.h"

namespace larder {
namespace {

// Redis keeps strings up to this size in one block with their object.
constexpr size_t kEmbstrBytesMax = 44;

Bytes packed_name(const Entry& entry) {
  if (entry.type() != ValueType::kSet && entry.type() != ValueType::kHash) return "listpack";
  const PackedHead head(entry.value());
  if (head.shown_as_table()) return "hashtable";
  return head.has_deadlines() ? "listpackex" : "listpack";
}

}  // namespace

Bytes encoding_name(const Entry& entry) {
  switch (entry.encoding()) {
    case Encoding::kInteger:
      return "int";
    case Encoding::kEmbedded:
      return entry.value_bytes() <= kEmbstrBytesMax ? "embstr" : "raw";
    case Encoding::kEmbeddedEdited:
    case Encoding::kBlob:
      return "raw";
    case Encoding::kPacked:
      return packed_name(entry);
    case Encoding::kPackedIntegers:
      return "intset";
    case Encoding::kStructure:
      return entry.structure()->encoding_name();
  }
  LARDER_UNREACHABLE();
}

}  // namespace larder
