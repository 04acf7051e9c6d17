// DEBUG DIGEST: a fingerprint of a value or of the whole dataset that does not depend on how it is kept or in which order
// it is walked, equal to that of Redis for the same data. Two servers, or a server before and after a restart, are compared
// by it.
//
// A digest is 20 bytes. What has an order (the elements of a list) is mixed in: XOR with the SHA-1 of the element, then the
// SHA-1 of that. What has none (the members of a set, the keys) is XORed in only. Cost: one SHA-1 or two for each element,
// without a pause: for tests.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "storage/keyspace.h"

namespace larder {

class Digest {
 public:
  // Where the order of calls matters.
  void mix(Bytes bytes);
  // Where it does not.
  void add(Bytes bytes);
  void add(const Digest& other) { add(other.bytes()); }

  Bytes bytes() const { return Bytes(reinterpret_cast<const char*>(bytes_.data()), bytes_.size()); }
  // Forty lower-case hexadecimal digits.
  std::string hex() const { return to_hex(bytes()); }

 private:
  std::array<uint8_t, 20> bytes_{};
};

// Of the value and whether it has a deadline, without the key.
void mix_value(Digest& digest, Store& store, const Entry& entry);
// Of all databases.
Digest digest_of(Store& store);

}  // namespace larder
