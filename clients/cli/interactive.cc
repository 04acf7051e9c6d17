// LineRunner gives a line its meaning, whether it was typed or came from a file; LineEditor is libedit with history,
// completion and hints. Ctrl-C never ends the program: it drops the line being typed, or the wait for a reply together
// with the connection (the reply may still come, so the connection is of no more use).

#include "clients/cli/interactive.h"

#include <histedit.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include "base/number_text.h"
#include "clients/cli/command_hints.h"
#include "clients/cli/modes.h"
#include "clients/cli/reply_format.h"
#include "protocol/request_parser.h"

namespace larder::cli {
namespace {

constexpr int kHistoryLines = 1000;
constexpr size_t kShownCompletions = 60;
constexpr char kHelp[] =
    "help <command>   what a command does and its arguments\n"
    "help @<group>    the commands of a group: @string, @generic, @connection ...\n"
    "connect <host> <port>, clear, quit\n"
    "A number before a command repeats it. TAB completes a name, Ctrl-R searches the history,\n"
    "Ctrl-C drops the line or stops waiting for a reply, Ctrl-D ends.\n";
// A line with one of these words may hold a password, which must not land in a file.
constexpr Bytes kSecretWords[] = {"AUTH", "AUTH2", "SETUSER", "REQUIREPASS", "MASTERAUTH", "MASTERUSER"};

// Set by Ctrl-C. A signal handler can reach nothing but a global.
std::atomic<bool> interrupted = false;

void on_interrupt(int) { interrupted = true; }

std::string home_file(const char* variable, const char* name) {
  if (const char* chosen = std::getenv(variable)) return chosen;
  const char* home = std::getenv("HOME");
  return home != nullptr ? std::string(home) + "/" + name : "";
}

bool is_secret(const std::string& line) {
  std::istringstream words(line);
  for (std::string word; words >> word;) {
    for (const Bytes secret : kSecretWords) {
      if (equals_ignore_case(word, secret)) return true;
    }
  }
  return false;
}

// Runs lines; what a line means is the same at a terminal and from a file.
class LineRunner {
 public:
  explicit LineRunner(Session& session, CommandHints& hints) : session_(session), hints_(hints) {}

  enum class Outcome : uint8_t { kGoOn, kQuit };
  Outcome run(Bytes line);
  bool saw_error() const { return saw_error_; }

 private:
  Outcome run_words(std::vector<std::string> words);
  void run_once(const std::vector<std::string>& words);
  void connect_to(const std::string& host, const std::string& port);

  Session& session_;
  CommandHints& hints_;
  bool saw_error_ = false;
};

LineRunner::Outcome LineRunner::run(Bytes line) {
  RequestArgs args;
  if (!split_quoted_words(line, args)) {
    std::puts("Invalid argument(s)");
    saw_error_ = true;
    return Outcome::kGoOn;
  }
  std::vector<std::string> words;
  for (const Bytes word : args.slice(0, args.size())) words.emplace_back(word);
  return words.empty() ? Outcome::kGoOn : run_words(std::move(words));
}

LineRunner::Outcome LineRunner::run_words(std::vector<std::string> words) {
  const std::string& first = words[0];
  if (equals_ignore_case(first, "quit") || equals_ignore_case(first, "exit")) return Outcome::kQuit;
  if (equals_ignore_case(first, "clear")) {
    std::fputs("\033[H\033[2J", stdout);
    return Outcome::kGoOn;
  }
  if (equals_ignore_case(first, "connect") && words.size() == 3) {
    connect_to(words[1], words[2]);
    return Outcome::kGoOn;
  }
  if (equals_ignore_case(first, "help") || first == "?") {
    std::string name;
    for (size_t i = 1; i < words.size(); ++i) name += (i == 1 ? "" : " ") + words[i];
    const std::string help = hints_.help_for(name);
    std::fputs(help.empty() ? kHelp : help.c_str(), stdout);
    return Outcome::kGoOn;
  }
  // A leading number repeats the command.
  int64_t repeat = 1;
  if (const auto number = parse_int64(first); number && *number > 0 && words.size() > 1) {
    repeat = *number;
    words.erase(words.begin());
  }
  for (int64_t i = 0; i < repeat && !interrupted; ++i) run_once(words);
  return Outcome::kGoOn;
}

void LineRunner::connect_to(const std::string& host, const std::string& port) {
  const auto number = parse_int64(port);
  if (!number || *number < 1 || *number > 65535) {
    std::printf("Invalid port '%s'\n", port.c_str());
    return;
  }
  session_.set_address(host, static_cast<uint16_t>(*number));
  if (const Status connected = session_.connect(); !connected.ok()) print_failure(session_, connected.error());
}

void LineRunner::run_once(const std::vector<std::string>& words) {
  const auto start = std::chrono::steady_clock::now();
  const Result<bool> done = run_and_print(session_, words);
  if (!done) {
    // SHUTDOWN answers by closing; Ctrl-C is no news to the person who pressed it.
    const bool shut_down = equals_ignore_case(words[0], "SHUTDOWN") && !session_.failed_to_connect();
    if (done.error().code == ErrorCode::kCancelled) {
      std::puts("");
    } else if (!shut_down || done.error().code != ErrorCode::kDisconnected) {
      print_failure(session_, done.error());
      saw_error_ = true;
    }
    return;
  }
  saw_error_ |= !*done;
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  if (elapsed.count() >= 0.5 && isatty(STDOUT_FILENO) == 1) std::printf("(%.2fs)\n", elapsed.count());
}

// The line editor with its history. libedit hands back one pointer, which is this object.
class LineEditor {
 public:
  LineEditor(Session& session, const CommandHints& hints);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  enum class Input : uint8_t { kLine, kDropped, kEnd };
  // The next line without its line end; kDropped after Ctrl-C.
  Input read(std::string& line);
  void remember(const std::string& line);

 private:
  static char* prompt(EditLine* editor);
  static char* right_prompt(EditLine* editor);
  static unsigned char complete(EditLine* editor, int);
  static unsigned char insert(EditLine* editor, int key);
  void bind_keys();
  static LineEditor& self(EditLine* editor);

  Session& session_;
  const CommandHints& hints_;
  EditLine* editor_;
  History* history_;
  HistEvent event_{};
  std::string history_path_ = home_file("LARDERCLI_HISTFILE", ".lardercli_history");
  std::string prompt_;
  std::string hint_;
};

LineEditor::LineEditor(Session& session, const CommandHints& hints)
    : session_(session),
      hints_(hints),
      editor_(el_init("larder-cli", stdin, stdout, stderr)),
      history_(history_init()) {
  history(history_, &event_, H_SETSIZE, kHistoryLines);
  history(history_, &event_, H_SETUNIQUE, 1);
  if (!history_path_.empty()) history(history_, &event_, H_LOAD, history_path_.c_str());
  el_set(editor_, EL_CLIENTDATA, this);
  el_set(editor_, EL_PROMPT, &LineEditor::prompt);
  el_set(editor_, EL_RPROMPT, &LineEditor::right_prompt);
  el_set(editor_, EL_EDITOR, "emacs");
  el_set(editor_, EL_HIST, history, history_);
  bind_keys();
  el_source(editor_, nullptr);
}

void LineEditor::bind_keys() {
  el_set(editor_, EL_ADDFN, "larder-complete", "completes the name of a command", &LineEditor::complete);
  el_set(editor_, EL_ADDFN, "larder-insert", "inserts a character and shows the hint anew", &LineEditor::insert);
  el_set(editor_, EL_BIND, "^I", "larder-complete", nullptr);
  el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
  // The editor's own insertion draws the character alone, and the hint would stay that of the line before.
  for (char key = ' '; key <= '~'; ++key) {
    // As an octal escape: some characters mean something to the editor ("-" begins a switch).
    char name[8];
    std::snprintf(name, sizeof(name), "\\%03o", static_cast<unsigned>(key));
    el_set(editor_, EL_BIND, name, "larder-insert", nullptr);
  }
}

unsigned char LineEditor::insert(EditLine* editor, int key) {
  const char text[] = {static_cast<char>(key), '\0'};
  return el_insertstr(editor, text) == 0 ? CC_REFRESH : CC_ERROR;
}

LineEditor::~LineEditor() {
  history_end(history_);
  el_end(editor_);
}

LineEditor& LineEditor::self(EditLine* editor) {
  void* data = nullptr;
  el_get(editor, EL_CLIENTDATA, &data);
  return *static_cast<LineEditor*>(data);
}

char* LineEditor::prompt(EditLine* editor) {
  LineEditor& editor_self = self(editor);
  editor_self.prompt_ = editor_self.session_.place() + "> ";
  return editor_self.prompt_.data();
}

char* LineEditor::right_prompt(EditLine* editor) {
  LineEditor& editor_self = self(editor);
  const LineInfo* line = el_line(editor);
  editor_self.hint_ = editor_self.hints_.hint_for({line->buffer, static_cast<size_t>(line->lastchar - line->buffer)});
  return editor_self.hint_.data();
}

unsigned char LineEditor::complete(EditLine* editor, int) {
  const LineInfo* line = el_line(editor);
  const Bytes typed(line->buffer, static_cast<size_t>(line->cursor - line->buffer));
  const std::vector<std::string> names = self(editor).hints_.completions(typed);
  if (names.empty()) return CC_ERROR;
  // What all candidates have in common beyond what is typed.
  std::string common = names.front();
  for (const std::string& name : names) {
    size_t same = 0;
    while (same < common.size() && same < name.size() && common[same] == name[same]) ++same;
    common.resize(same);
  }
  if (common.size() > typed.size()) {
    std::string addition = common.substr(typed.size());
    if (names.size() == 1) addition += ' ';
    el_insertstr(editor, addition.c_str());
    return CC_REFRESH;
  }
  std::fputs("\n", stdout);
  for (size_t i = 0; i < std::min(names.size(), kShownCompletions); ++i) std::printf("%s  ", names[i].c_str());
  std::fputs(names.size() > kShownCompletions ? "...\n" : "\n", stdout);
  return CC_REDISPLAY;
}

LineEditor::Input LineEditor::read(std::string& line) {
  int count = 0;
  const char* text = el_gets(editor_, &count);
  if (interrupted.exchange(false)) {
    el_reset(editor_);
    std::puts("");
    return Input::kDropped;
  }
  if (text == nullptr || count <= 0) return Input::kEnd;
  line.assign(text, static_cast<size_t>(count));
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  return Input::kLine;
}

void LineEditor::remember(const std::string& line) {
  if (line.empty() || is_secret(line)) return;
  history(history_, &event_, H_ENTER, line.c_str());
  if (history_path_.empty()) return;
  const mode_t mask_before = umask(S_IRWXG | S_IRWXO);
  history(history_, &event_, H_SAVE, history_path_.c_str());
  umask(mask_before);
}

int run_terminal(Session& session) {
  CommandHints hints;
  if (const Status connected = session.connect(); connected.ok()) {
    Result<Reply> docs = session.call({"COMMAND", "DOCS"});
    if (docs) hints.load(*docs);
  } else {
    print_failure(session, connected.error());
  }
  // The editor takes in what the locale calls characters; without one, all but ASCII would be dropped.
  std::setlocale(LC_CTYPE, "");
  if (MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
  struct sigaction action {};
  action.sa_handler = on_interrupt;  // without SA_RESTART: reading a line ends
  sigaction(SIGINT, &action, nullptr);
  session.set_cancel(&interrupted);
  LineEditor editor(session, hints);
  LineRunner runner(session, hints);
  std::string line;
  LineEditor::Input input;
  while ((input = editor.read(line)) != LineEditor::Input::kEnd) {
    if (input == LineEditor::Input::kDropped) continue;
    editor.remember(line);
    if (runner.run(line) == LineRunner::Outcome::kQuit) break;
    std::fflush(stdout);
    interrupted = false;
    if (!session.connected()) (void)session.connect();
  }
  return 0;
}

int run_lines(Session& session) {
  if (const Status connected = session.connect(); !connected.ok()) {
    print_failure(session, connected.error());
    return 1;
  }
  CommandHints hints;
  LineRunner runner(session, hints);
  char* text = nullptr;
  size_t capacity = 0;
  ssize_t count = 0;
  while ((count = getline(&text, &capacity, stdin)) >= 0) {
    Bytes line(text, static_cast<size_t>(count));
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    if (runner.run(line) == LineRunner::Outcome::kQuit) break;
  }
  std::free(text);
  return runner.saw_error() && session.options().exit_on_error ? 1 : 0;
}

}  // namespace

int run_interactive(Session& session) { return isatty(STDIN_FILENO) == 1 ? run_terminal(session) : run_lines(session); }

}  // namespace larder::cli
