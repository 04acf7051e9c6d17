#include "tests/support/dataset.h"

#include <algorithm>
#include <vector>

#include "storage/keyspace.h"
#include "tests/support/reply_text.h"

namespace larder::testing {
namespace {

constexpr size_t kShownBytes = 600;
constexpr int kShownKeys = 5;

using Connection = InProcessServer::Connection;

// Elements in groups of `step`, sorted.
std::string sorted_text(const Reply& reply, size_t step) {
  std::vector<std::string> parts;
  for (size_t i = 0; i + step <= reply.elements.size(); i += step) {
    std::string part;
    for (size_t k = 0; k < step; ++k) part += reply_text(reply.elements[i + k]) + " ";
    parts.push_back(std::move(part));
  }
  std::sort(parts.begin(), parts.end());
  std::string text;
  for (const std::string& part : parts) text += part;
  return text;
}

std::string hash_text(Connection& client, const std::string& key) {
  const Reply pairs = client.ask("HGETALL", key);
  std::vector<std::string> parts;
  for (size_t i = 0; i + 1 < pairs.elements.size(); i += 2) {
    const Reply deadline = client.ask("HPEXPIRETIME", key, "FIELDS", "1", pairs.elements[i].text);
    parts.push_back(reply_text(pairs.elements[i]) + "=" + reply_text(pairs.elements[i + 1]) + "@" +
                    reply_text(deadline));
  }
  std::sort(parts.begin(), parts.end());
  std::string text;
  for (const std::string& part : parts) text += part + " ";
  return text;
}

// Without what depends on when it was asked, or on nodes.
std::string stream_text(Connection& client, const std::string& key) {
  std::string text = reply_text(client.ask("XRANGE", key, "-", "+"));
  const Reply info = client.ask("XINFO", "STREAM", key);
  for (size_t i = 0; i + 1 < info.elements.size(); i += 2) {
    const std::string& name = info.elements[i].text;
    if (!name.starts_with("radix")) text += name + "=" + reply_text(info.elements[i + 1]) + " ";
  }
  for (const Reply& group : client.ask("XINFO", "GROUPS", key).elements) {
    text += "\ngroup " + reply_text(group);
    const std::string& group_name = group.elements[1].text;
    for (const Reply& pending : client.ask("XPENDING", key, group_name, "-", "+", "1000").elements) {
      text += " " + pending.elements[0].text + " of " + pending.elements[1].text + " times " +
              reply_text(pending.elements[3]);
    }
  }
  return text;
}

std::string value_text(Connection& client, const std::string& key, const std::string& type) {
  if (type == "string") return reply_text(client.ask("GET", key));
  if (type == "list") return reply_text(client.ask("LRANGE", key, "0", "-1"));
  if (type == "set") return sorted_text(client.ask("SMEMBERS", key), 1);
  if (type == "zset") return reply_text(client.ask("ZRANGE", key, "0", "-1", "WITHSCORES"));
  if (type == "hash") return hash_text(client, key);
  return type == "stream" ? stream_text(client, key) : "?";
}

}  // namespace

Dataset dataset_of(InProcessServer& server) {
  Dataset dataset;
  Connection& client = server.connect();
  for (int db = 0; db < server.services().store.database_count(); ++db) {
    if (server.services().store.database(db).size() == 0) continue;
    client.call("SELECT", std::to_string(db));
    for (const Reply& key : client.ask("KEYS", "*").elements) {
      const std::string type = client.ask("TYPE", key.text).text;
      const std::string deadline = reply_text(client.ask("PEXPIRETIME", key.text));
      dataset[std::to_string(db) + ":" + key.text] =
          type + " until " + deadline + ": " + value_text(client, key.text, type);
    }
  }
  client.close();
  server.run();
  return dataset;
}

std::string difference_between(const Dataset& a, const Dataset& b) {
  std::string text;
  int shown = 0;
  const auto show = [&](const std::string& key, const std::string& first, const std::string& second) {
    if (++shown > kShownKeys) return;
    text += key + "\n  first:  " + first.substr(0, kShownBytes) + "\n  second: " + second.substr(0, kShownBytes) + "\n";
  };
  for (const auto& [key, value] : a) {
    const auto found = b.find(key);
    if (found == b.end()) {
      show(key, value, "(missing)");
    } else if (found->second != value) {
      show(key, value, found->second);
    }
  }
  for (const auto& [key, value] : b) {
    if (!a.contains(key)) show(key, "(missing)", value);
  }
  return text;
}

}  // namespace larder::testing
