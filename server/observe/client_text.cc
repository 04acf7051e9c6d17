#include "server/observe/client_text.h"

#include "base/number_text.h"
#include "server/core/client.h"
#include "server/core/pubsub.h"
#include "server/core/tracking.h"
#include "server/core/transaction.h"

namespace larder {
namespace {

void field(std::string& text, Bytes name, Bytes value) {
  if (!text.empty() && text.back() != '\n') text += ' ';
  text += name;
  text += '=';
  text += value;
}

void field(std::string& text, Bytes name, uint64_t value) { field(text, name, Bytes(std::to_string(value))); }

void append_transaction(std::string& text, const Transaction* transaction) {
  const bool open = transaction != nullptr && transaction->open;
  field(text, "multi", Bytes(open ? std::to_string(transaction->requests.size()) : "-1"));
  field(text, "watch", transaction != nullptr ? transaction->watched.size() : 0);
}

void append_buffers(std::string& text, const Client& client) {
  const size_t unread = client.unread_bytes();
  field(text, "qbuf", unread);
  field(text, "qbuf-free", client.unread_held_bytes() - unread);
  field(text, "argv-mem", client.progress.memory_bytes());
  field(text, "multi-mem", client.transaction ? client.transaction->queued_bytes : 0);
  // Replies are written into the tick's common buffer: no client has one of its own.
  field(text, "rbs", 0);
  field(text, "rbp", 0);
  field(text, "obl", 0);
  field(text, "oll", client.queue_ ? client.queue_->piece_count() : 0);
  field(text, "omem", client.owed_bytes());
  field(text, "tot-mem", client.memory_bytes());
}

uint64_t seconds_since(int64_t then_ms, int64_t now_ms) {
  return now_ms > then_ms ? static_cast<uint64_t>(now_ms - then_ms) / 1000 : 0;
}

}  // namespace

std::string client_capability_letters(const Client& client) { return client.flags & kClientCapaRedirect ? "r" : ""; }

std::string client_flag_letters(const Client& client) {
  std::string letters;
  const auto add = [&](bool on, char letter) {
    if (on) letters += letter;
  };
  add(client.flags & kClientReplica, (client.gate & kGateMonitor) ? 'O' : 'S');
  add((client.gate & kGateMonitor) && !(client.flags & kClientReplica), 'O');
  add((client.flags & kClientPubsub) || (client.gate & kGateSubscriber), 'P');
  add(client.gate & kGateTransaction, 'x');
  add(client.is_blocked(), 'b');
  add(client.tracking != nullptr, 't');
  add(client.tracking && client.tracking->redirection_broken, 'R');
  add(client.tracking && (client.tracking->modes & kTrackBroadcast), 'B');
  add(client.transaction && client.transaction->watch_broken, 'd');
  add((client.gate & kGateClosing) && !(client.flags & kClientCloseNow), 'c');
  add(client.flags & kClientCloseNow, 'A');
  add(client.flags & kClientUnixSocket, 'U');
  add(client.flags & kClientNoEvict, 'e');
  add(client.flags & kClientNoTouch, 'T');
  return letters.empty() ? "N" : letters;
}

Bytes client_type_name(const Client& client) {
  if (client.flags & kClientReplica) return "replica";
  return (client.flags & kClientPubsub) ? "pubsub" : "normal";
}

void append_client_line(std::string& text, const Client& client, int64_t now_ms) {
  field(text, "id", client.id);
  field(text, "addr", client.peer);
  field(text, "laddr", client.local);
  field(text, "fd", Bytes(std::to_string(client.fd)));
  field(text, "name", client.name);
  field(text, "age", seconds_since(client.connected_ms, now_ms));
  field(text, "idle", seconds_since(client.last_active_ms, now_ms));
  field(text, "flags", client_flag_letters(client));
  field(text, "db", client.db);
  field(text, "sub", subscription_count(client, TopicKind::kChannel));
  field(text, "psub", subscription_count(client, TopicKind::kPattern));
  field(text, "ssub", subscription_count(client, TopicKind::kShardChannel));
  append_transaction(text, client.transaction.get());
  append_buffers(text, client);
  field(text, "events", client.queued_bytes() > 0 ? "rw" : "r");
  field(text, "cmd", client.last_command.empty() ? Bytes("NULL") : client.last_command);
  field(text, "user", client.user);
  field(text, "redir", Bytes(client.tracking ? std::to_string(client.tracking->redirection) : "-1"));
  field(text, "resp", client.protocol);
  field(text, "lib-name", client.lib_name);
  field(text, "lib-ver", client.lib_version);
  field(text, "tot-net-in", client.bytes_in);
  field(text, "tot-net-out", client.bytes_out);
  field(text, "tot-cmds", client.commands);
  field(text, "capa", client_capability_letters(client));
  text += '\n';
}

}  // namespace larder
