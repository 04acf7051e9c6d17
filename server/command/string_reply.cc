#include "server/command/string_reply.h"

#include <memory>

#include "base/assert.h"
#include "storage/blob.h"

namespace larder {

void reply_string_range(ReplyWriter& reply, const StringValue& value, size_t offset, size_t size) {
  const StringText text = value.text();
  LARDER_ASSERT(offset <= text.size() && size <= text.size() - offset);
  if (!reply.wants_pin(size)) return reply.bulk(text.bytes().substr(offset, size));
  auto pin = std::make_unique<BlobPin>(value.pin());
  if (!*pin) return reply.bulk(text.bytes().substr(offset, size));
  const char* bytes = pin->bytes().data() + offset;
  reply.pinned({bytes, size, pin.release(),
                [](void* owner) { const std::unique_ptr<BlobPin> last(static_cast<BlobPin*>(owner)); }});
}

}  // namespace larder
