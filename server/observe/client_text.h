#pragma once

// One client as a line of text: CLIENT LIST, CLIENT INFO.

#include <cstdint>
#include <string>

#include "base/bytes.h"

namespace larder {

struct Client;

// The letters of CLIENT LIST's `flags` field; "N" for none.
std::string client_flag_letters(const Client& client);

// The letters of its `capa` field: "r" for a client that said CLIENT CAPA redirect.
std::string client_capability_letters(const Client& client);

// What CLIENT LIST TYPE and CLIENT KILL TYPE call it: normal, replica, pubsub.
Bytes client_type_name(const Client& client);

// Appends "id=7 addr=... tot-cmds=12\n" with the fields of Redis 7.2 in their order and the newer totals behind them.
// The sizes of buffers are those of this moment: a client between two requests owns none.
void append_client_line(std::string& text, const Client& client, int64_t now_ms);

}  // namespace larder
