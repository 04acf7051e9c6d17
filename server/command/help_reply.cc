#include "server/command/help_reply.h"

#include <algorithm>

namespace larder {
namespace {

void add_help_lines(std::vector<std::string>& lines, const Command& command) {
  std::string head = to_upper(command.spec->name);
  if (command.docs != nullptr && !command.docs->grammar.empty()) {
    head += ' ';
    head += command.docs->grammar;
  }
  lines.push_back(std::move(head));
  if (command.docs != nullptr) lines.push_back("    " + std::string(command.docs->summary));
}

}  // namespace

void container_help(CommandContext& ctx, ArgReader& args) {
  if (!args.done(ctx.reply())) return;
  const Command& container = *ctx.command().parent;
  std::vector<std::string> lines;
  lines.push_back(to_upper(container.full_name) + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const Command* sub : container.subcommands) {
    if (sub->spec->name != "help") add_help_lines(lines, *sub);
  }
  lines.insert(lines.end(), {"HELP", "    Print this help."});
  ctx.reply().array(lines.size());
  for (const std::string& line : lines) ctx.reply().simple(line);
}

bool is_listable(Bytes value) {
  return std::all_of(value.begin(), value.end(), [](char c) { return c >= '!' && c <= '~'; });
}

std::string subcommand_syntax_error(Bytes container, Bytes subcommand) {
  return "ERR unknown subcommand or wrong number of arguments for '" + std::string(subcommand.substr(0, 128)) +
         "'. Try " + to_upper(container) + " HELP.";
}

}  // namespace larder
