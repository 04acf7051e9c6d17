#include "clients/cpp/pipeline.h"

#include <algorithm>

namespace larder::client {

void Pipeline::add(std::span<const Bytes> argv) {
  append_command(commands_, argv);
  ends_.push_back(commands_.size());
}

Result<std::vector<Reply>> Pipeline::run() {
  std::vector<Reply> replies;
  replies.reserve(ends_.size());
  const Buffer commands = std::exchange(commands_, Buffer());
  const std::vector<size_t> ends = std::exchange(ends_, {});
  size_t sent_bytes = 0;
  for (size_t first = 0; first < ends.size(); first += kWindow) {
    const size_t last = std::min(first + kWindow, ends.size());
    LARDER_TRY(connection_.send_raw(commands.bytes().substr(sent_bytes, ends[last - 1] - sent_bytes)));
    sent_bytes = ends[last - 1];
    for (size_t i = first; i < last; ++i) {
      LARDER_TRY_ASSIGN(Reply reply, connection_.read());
      replies.push_back(std::move(reply));
    }
  }
  return replies;
}

}  // namespace larder::client
