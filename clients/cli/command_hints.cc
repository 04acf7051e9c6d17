#include "clients/cli/command_hints.h"

#include <algorithm>

namespace larder::cli {
namespace {

std::string upper(Bytes text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (c == '|') c = ' ';
  }
  return out;
}

// The value of a field in a map, which RESP2 sends as a flat array.
const Reply* field(const Reply& map, Bytes name) {
  for (size_t i = 0; i + 1 < map.elements.size(); i += 2) {
    if (map.elements[i].text == name) return &map.elements[i + 1];
  }
  return nullptr;
}

std::string text_field(const Reply& map, Bytes name) {
  const Reply* value = field(map, name);
  return value != nullptr ? value->text : "";
}

bool has_flag(const Reply& argument, Bytes flag) {
  const Reply* flags = field(argument, "flags");
  return flags != nullptr && std::any_of(flags->elements.begin(), flags->elements.end(),
                                         [&](const Reply& one) { return one.text == flag; });
}

// Arguments nest (a block of alternatives of blocks); servers nest them a few levels deep at the most.
constexpr int kDepthMax = 8;

std::string argument_text(const Reply& argument, int depth) {
  const std::string type = text_field(argument, "type");
  const std::string token = text_field(argument, "token");
  std::string text;
  if (type == "oneof" || type == "block") {
    const Reply* parts = field(argument, "arguments");
    if (parts != nullptr && depth < kDepthMax) {
      for (const Reply& part : parts->elements) {
        text += (text.empty() ? "" : type == "oneof" ? " | " : " ") + argument_text(part, depth + 1);
      }
    }
    if (type == "oneof" && !has_flag(argument, "optional")) text = "<" + text + ">";
  } else if (type != "pure-token") {
    text = text_field(argument, "display_text");
    if (text.empty()) text = text_field(argument, "name");
  }
  if (!token.empty()) text = token + (text.empty() ? "" : " " + text);
  if (has_flag(argument, "multiple")) text += " [" + text + " ...]";
  return has_flag(argument, "optional") ? "[" + text + "]" : text;
}

std::vector<std::string> words_of(Bytes line) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : line) {
    if (c != ' ') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, ""));
    }
  }
  if (!word.empty()) words.push_back(word);
  return words;
}

}  // namespace

void CommandHints::load(const Reply& docs) {
  if (!docs.is_aggregate()) return;
  for (size_t i = 0; i + 1 < docs.elements.size(); i += 2) load_command(docs.elements[i].text, docs.elements[i + 1]);
}

void CommandHints::load_command(const std::string& name, const Reply& facts) {
  Hint hint;
  hint.summary = text_field(facts, "summary");
  hint.since = text_field(facts, "since");
  hint.group = text_field(facts, "group");
  if (const Reply* arguments = field(facts, "arguments")) {
    for (const Reply& argument : arguments->elements) hint.arguments.push_back(argument_text(argument, 0));
  }
  hints_[upper(name)] = std::move(hint);
  const Reply* subcommands = field(facts, "subcommands");
  if (subcommands == nullptr) return;
  for (size_t i = 0; i + 1 < subcommands->elements.size(); i += 2) {
    const std::string& sub = subcommands->elements[i].text;
    const std::string full = sub.find('|') == std::string::npos ? name + "|" + sub : sub;
    if (full != name) load_command(full, subcommands->elements[i + 1]);
  }
}

std::vector<std::string> CommandHints::completions(Bytes prefix) const {
  const std::string wanted = upper(prefix);
  std::vector<std::string> found;
  for (auto at = hints_.lower_bound(wanted); at != hints_.end() && at->first.compare(0, wanted.size(), wanted) == 0;
       ++at) {
    found.push_back(at->first);
  }
  return found;
}

std::string CommandHints::hint_for(Bytes line) const {
  const std::vector<std::string> words = words_of(line);
  if (words.empty()) return "";
  size_t name_words = 2;
  auto found = words.size() >= 2 ? hints_.find(upper(words[0] + " " + words[1])) : hints_.end();
  if (found == hints_.end()) {
    name_words = 1;
    found = hints_.find(upper(words[0]));
  }
  if (found == hints_.end()) return "";
  // Arguments given so far take the fixed arguments' places in order; options stay shown, they may come in any order.
  size_t given = words.size() - name_words;
  std::string hint;
  for (const std::string& argument : found->second.arguments) {
    if (given > 0 && argument[0] != '[') {
      --given;
      continue;
    }
    hint += (hint.empty() ? "" : " ") + argument;
  }
  return hint;
}

std::string CommandHints::help_for(Bytes name) const {
  if (!name.empty() && name[0] == '@') {
    std::string commands;
    for (const auto& [command, hint] : hints_) {
      if (equals_ignore_case(hint.group, name.substr(1))) commands += "  " + command + "  " + hint.summary + "\n";
    }
    return commands;
  }
  const auto found = hints_.find(upper(name));
  if (found == hints_.end()) return "";
  std::string text = "\n  " + found->first;
  for (const std::string& argument : found->second.arguments) text += " " + argument;
  text += "\n  summary: " + found->second.summary + "\n  since: " + found->second.since +
          "\n  group: " + found->second.group + "\n\n";
  return text;
}

}  // namespace larder::cli
