#include "protocol/error_text.h"

#include <algorithm>

namespace larder {

namespace {

constexpr size_t kShownBytesMax = 128;  // of an unknown command's name, and of its arguments together

// Bytes of a client inside an error text: the writer turns line ends into spaces, so nothing else is needed here.
std::string quoted_name(Bytes prefix, Bytes name, Bytes suffix) {
  std::string text;
  text.reserve(prefix.size() + name.size() + suffix.size());
  text.append(prefix);
  text.append(name);
  text.append(suffix);
  return text;
}

// What an error shows of a client's word: up to a zero byte, as Redis has it.
Bytes shown_part(Bytes word, size_t bytes_max) { return word.substr(0, std::min(word.find('\0'), bytes_max)); }

}  // namespace

std::string wrong_arity_error(Bytes full_command_name) {
  return quoted_name("ERR wrong number of arguments for '", full_command_name, "' command");
}

std::string unknown_command_error(Bytes name, const Bytes* args, size_t arg_count) {
  std::string shown;
  for (size_t i = 0; i < arg_count && shown.size() < kShownBytesMax; i++) {
    const size_t room = kShownBytesMax - shown.size();
    shown += '\'';
    shown.append(shown_part(args[i], room));
    shown += "' ";
  }
  std::string text =
      quoted_name("ERR unknown command '", shown_part(name, kShownBytesMax), "', with args beginning with: ");
  text += shown;
  return text;
}

std::string unknown_subcommand_error(Bytes container, Bytes subcommand) {
  std::string text = quoted_name("ERR unknown subcommand '", shown_part(subcommand, kShownBytesMax), "'. Try ");
  text += to_upper(container);
  text += " HELP.";
  return text;
}

std::string invalid_expire_error(Bytes full_command_name) {
  return quoted_name("ERR invalid expire time in '", full_command_name, "' command");
}

std::string unsupported_option_error(Bytes option) { return "ERR Unsupported option " + std::string(option); }

std::string no_command_permission_error(Bytes user, Bytes full_command_name) {
  std::string text = quoted_name("NOPERM User ", user, " has no permissions to run the '");
  text.append(full_command_name);
  text += "' command";
  return text;
}

std::string subscribed_context_error(Bytes full_command_name) {
  return quoted_name("ERR Can't execute '", full_command_name,
                     "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context");
}

std::string protected_command_error(Bytes command) {
  std::string text = quoted_name("ERR ", to_upper(command), " command not allowed. If the enable-");
  text += to_lower(command);
  text +=
      "-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this "
      "option in the configuration file, and then restart the server.";
  return text;
}

std::string log_error(Bytes reason) { return "MISCONF Errors writing to the AOF file: " + std::string(reason); }

std::string exec_abort_error(Bytes reason) {
  return quoted_name("EXECABORT Transaction discarded because of: ", reason, "");
}

std::string no_group_error(Bytes key, Bytes group) {
  std::string text = quoted_name("NOGROUP No such key '", key, "' or consumer group '");
  text.append(group);
  text += "'";
  return text;
}

}  // namespace larder
