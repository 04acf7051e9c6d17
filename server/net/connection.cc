#include "server/net/connection.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <span>

#include "base/assert.h"
#include "server/core/server_stats.h"
#include "server/net/net_server.h"

namespace larder {
namespace {

constexpr size_t kPiecesPerWrite = 64;

// What one connection is sent from its queue in one turn of the loop. A reader on another core can take bytes as fast as
// they are sent, so that the socket is never full: without a bound the others would wait for all of its queue.
constexpr size_t kFlushBytesPerTurn = 1024 * 1024;
// The same in time, for replies that are written while they are sent: a piece of 64 KiB is some 150 us of work.
constexpr int64_t kClientFlushBudgetUs = 300;

// One piece, the usual case, goes without the header that the kernel would have to fetch.
ssize_t send_pieces(int fd, std::span<iovec> pieces) {
  if (pieces.size() == 1) return send(fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL);
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  return sendmsg(fd, &message, MSG_NOSIGNAL);
}

bool would_block(int error_number) { return error_number == EAGAIN || error_number == EWOULDBLOCK; }

}  // namespace

void Connection::open(int fd, Client& client) {
  client_ = &client;
  if (watch(net_.loop().raw(), fd, true, false)) return;
  ::close(fd);
  close();
}

void Connection::on_ready(bool readable, bool writable) {
  if (writable && wants_write_) net_.mark_woken(*this);
  if (!readable) return;
  may_have_input_ = true;
  net_.mark_ready(*this);
}

void Connection::wake() { net_.mark_woken(*this); }

void Connection::receive(Tick& tick) {
  const Tick::Room room = tick.input_room(*client_);
  const ssize_t count = recv(fd(), room.at, room.bytes, 0);
  may_have_input_ =
      count == static_cast<ssize_t>(room.bytes) || (count > 0 && input_ends()) || (count < 0 && errno == EINTR);
  if (count > 0) {
    tick.received(*client_, static_cast<size_t>(count));
    return;
  }
  if (count < 0 && (would_block(errno) || errno == EINTR)) return;
  if (count < 0 || client_->queued_bytes() == 0) {
    close();
    return;
  }
  // The other side sends no more but still reads: it gets what it is owed.
  input_ended_ = true;
  client_->close_after_reply();
}

void Connection::send_reply(Bytes bytes) {
  while (!bytes.empty() && client_->queued_bytes() == 0) {
    const ssize_t count = send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count > 0) {
      net_.count_sent(*client_, static_cast<size_t>(count));
      bytes.remove_prefix(static_cast<size_t>(count));
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && would_block(errno)) break;
    client_->close_now();
    return;
  }
  if (!bytes.empty()) Tick::give_back(*client_, bytes);
}

void Connection::flush_queue() {
  const Clock& clock = net_.server().services().clock;
  size_t sent_bytes = 0;
  int64_t end_us = 0;
  while (client_->sendable_bytes() > 0 && sent_bytes < kFlushBytesPerTurn) {
    std::array<Bytes, kPiecesPerWrite> pieces;
    std::array<iovec, kPiecesPerWrite> vectors;
    const size_t count = client_->queue_->gather(pieces);
    if (count == 0) {
      // Nothing is written yet. The socket is writable, so the next turn comes here again.
      client_->queue_->consume(0);
      break;
    }
    size_t left = kFlushBytesPerTurn - sent_bytes;
    for (size_t i = 0; i < count; ++i) {
      const Bytes piece = pieces[i].substr(0, left);
      vectors[i] = {const_cast<char*>(piece.data()), piece.size()};
      left -= piece.size();
    }
    const ssize_t sent = send_pieces(fd(), {vectors.data(), count});
    if (sent > 0) {
      net_.count_sent(*client_, static_cast<size_t>(sent));
      client_->queue_->consume(static_cast<size_t>(sent));
      sent_bytes += static_cast<size_t>(sent);
      const int64_t now_us = clock.mono_us();
      if (end_us == 0) end_us = now_us + kClientFlushBudgetUs;
      if (now_us >= end_us) break;
      continue;
    }
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && would_block(errno)) break;
    client_->close_now();
    return;
  }
  // A client that takes what it is owed is not idle.
  if (sent_bytes > 0) client_->last_active_ms = net_.server().services().clock.wall_ms();
  if (client_->queued_bytes() == 0) client_->queue_.reset();
}

void Connection::settle() {
  // Also when the queue has just become empty: that ends the time over the soft limit, and is counted.
  net_.server().check_output_limits(*client_);
  const bool done = client_->queued_bytes() == 0 && (client_->gate & kGateClosing);
  if (done || (client_->flags & kClientCloseNow)) {
    close();
    return;
  }
  watch_for_what_is_due();
}

void Connection::watch_for_what_is_due() {
  wants_write_ = client_->sendable_bytes() > 0;
  const bool reads = !input_ended_ && client_->takes_input();
  watch(net_.loop().raw(), fd(), reads, wants_write_);
  if (reads && may_have_input_) net_.mark_ready(*this);
}

void Connection::close() {
  if (closed()) return;
  net_.forget(*this);
  client_ = nullptr;
  close_and_destroy();
}

}  // namespace larder
