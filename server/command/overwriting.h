#pragma once

// A result takes the place of what a key holds (SORT STORE, SINTERSTORE, ZRANGESTORE, GEOSEARCHSTORE ...).

#include "protocol/arg_types.h"
#include "server/core/context.h"
#include "server/core/notifications.h"

namespace larder {

// While it lives, no key is told as new if there was one: such commands erase and create, but to those who listen it is
// the same key. Make it before the key is erased; keep it no longer than until the result is in its place.
class Overwriting {
 public:
  Overwriting(CommandContext& ctx, Key key)
      : services_(ctx.services()), silences_(services_.notifications.wants(kNotifyNew) && ctx.keys().contains(key)) {
    if (silences_) services_.store.set_tells_created(false);
  }
  ~Overwriting() {
    if (silences_) services_.store.set_tells_created(true);
  }
  Overwriting(const Overwriting&) = delete;
  Overwriting& operator=(const Overwriting&) = delete;

 private:
  Services& services_;
  const bool silences_;
};

}  // namespace larder
