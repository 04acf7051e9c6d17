// A driver for fuzz targets where libFuzzer is missing (GCC, or a build without the `fuzz` preset).
//
//   fuzz_<name> [--seconds N] [--seed N] [--max-len N] [file or folder...]
//
// First every given file is replayed once; then, for N seconds of processor time (default 0), so that a loaded machine
// does not mean fewer of them, random inputs are made from those files, or from nothing, by mutation: bytes flipped,
// pieces cut, doubled, swapped with another file's, and words a RESP or number parser finds hard put in. There is no
// coverage feedback, so this is a smoke test that runs anywhere; the long runs use the `fuzz` preset. The seed is printed
// first and makes a run repeatable. When the target crashes, the input it was given is written to fuzz_<name>.last-input
// in the working directory.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t input_bytes);
extern "C" __attribute__((weak)) int LLVMFuzzerInitialize(int* argc, char*** argv);

namespace {

using Input = std::string;

constexpr size_t kDefaultInputBytesMax = 4096;
constexpr int kMutationsMax = 8;

// Words that sit on the edges of the grammars and numbers under test.
constexpr std::string_view kHardWords[] = {
    "\r\n",
    "\n",
    "\r",
    "*1\r\n",
    "*-1\r\n",
    "$-1\r\n",
    "$0\r\n\r\n",
    "*2147483647\r\n",
    "$536870913\r\n",
    "~3\r\n",
    "%2\r\n",
    ">1\r\n",
    "_\r\n",
    "#t\r\n",
    ",inf\r\n",
    "(1\r\n",
    "=5\r\ntxt:a\r\n",
    "\"",
    "'",
    "\\x0",
    "-9223372036854775808",
    "9223372036854775807",
    "18446744073709551616",
    "1e308",
    "nan",
    "0x",
    "-",
    "+",
    "{",
    "}",
    "[",
    "]",
    "\xff\xff\xff\xff",
};

struct Options {
  uint64_t seed = 0;
  bool has_seed = false;
  int64_t seconds = 0;
  size_t input_bytes_max = kDefaultInputBytesMax;
  std::vector<std::string> paths;
};

// The input being run, for the crash handler, which may not allocate.
const Input* g_input = nullptr;
char g_crash_path[512];

void write_crash_input() {
  if (g_input == nullptr) return;
  const int fd = open(g_crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0) return;
  const char* at = g_input->data();
  size_t left = g_input->size();
  while (left > 0) {
    const ssize_t written = write(fd, at, left);
    if (written <= 0) break;
    at += written;
    left -= static_cast<size_t>(written);
  }
  close(fd);
  g_input = nullptr;
}

extern "C" void on_fatal_signal(int signal_number) {
  write_crash_input();
  std::signal(signal_number, SIG_DFL);
  std::raise(signal_number);
}

// The sanitizers end the process by their own road; this symbol is where they call out first.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

void install_crash_handlers(const char* program) {
  const std::string name = std::filesystem::path(program).filename().string();
  std::snprintf(g_crash_path, sizeof g_crash_path, "%s.last-input", name.c_str());
  std::signal(SIGABRT, on_fatal_signal);
  if (__sanitizer_set_death_callback != nullptr) {
    // The sanitizer keeps the other signals, so that its report is printed.
    __sanitizer_set_death_callback(write_crash_input);
    return;
  }
  for (const int signal_number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(signal_number, on_fatal_signal);
}

void run_one(const Input& input) {
  g_input = &input;
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
  g_input = nullptr;
}

Input read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return Input(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

std::vector<Input> read_corpus(const std::vector<std::string>& paths) {
  std::vector<Input> corpus;
  for (const std::string& path : paths) {
    if (!std::filesystem::is_directory(path)) {
      corpus.push_back(read_file(path));
      continue;
    }
    for (const auto& file : std::filesystem::recursive_directory_iterator(path)) {
      if (file.is_regular_file()) corpus.push_back(read_file(file.path()));
    }
  }
  return corpus;
}

class Mutator {
 public:
  Mutator(uint64_t seed, const std::vector<Input>& corpus, size_t input_bytes_max)
      : random_(seed), corpus_(corpus), input_bytes_max_(input_bytes_max) {}

  Input next() {
    Input input = corpus_.empty() || below(8) == 0 ? random_bytes() : corpus_[below(corpus_.size())];
    const size_t mutations = below(kMutationsMax);
    for (size_t i = 0; i < mutations; ++i) mutate(input);
    if (input.size() > input_bytes_max_) input.resize(input_bytes_max_);
    return input;
  }

 private:
  size_t below(size_t bound) { return bound == 0 ? 0 : static_cast<size_t>(random_() % bound); }
  char byte() { return static_cast<char>(random_()); }

  Input random_bytes() {
    // Mostly short: a parser's branches are near its start.
    Input input(below(below(8) == 0 ? input_bytes_max_ : 64), '\0');
    for (char& each : input) each = byte();
    return input;
  }

  void mutate(Input& input) {
    const size_t at = below(input.size() + 1);
    const size_t length = below(input.size() - at + 1);
    switch (below(7)) {
      case 0:
        if (at < input.size()) input[at] = byte();
        break;
      case 1:
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
        break;
      case 2:
        input.erase(at, length);
        break;
      case 3:
        input.insert(at, Input(input, at, length));
        break;
      case 4:
        input.insert(at, kHardWords[below(std::size(kHardWords))]);
        break;
      case 5:
        if (!corpus_.empty()) splice(input, at, corpus_[below(corpus_.size())]);
        break;
      default:
        input.resize(at);
    }
  }

  void splice(Input& input, size_t at, const Input& other) {
    const size_t from = below(other.size() + 1);
    input.replace(at, input.size() - at, other, from, below(other.size() - from + 1));
  }

  std::mt19937_64 random_;
  const std::vector<Input>& corpus_;
  size_t input_bytes_max_;
};

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const bool has_value = i + 1 < argc;
    if (word == "--seconds" && has_value) {
      options.seconds = std::strtoll(argv[++i], nullptr, 10);
    } else if (word == "--seed" && has_value) {
      options.seed = std::strtoull(argv[++i], nullptr, 10);
      options.has_seed = true;
    } else if (word == "--max-len" && has_value) {
      options.input_bytes_max = std::strtoull(argv[++i], nullptr, 10);
    } else if (word.starts_with("--")) {
      std::fprintf(stderr, "usage: %s [--seconds N] [--seed N] [--max-len N] [file or folder...]\n", argv[0]);
      std::exit(2);
    } else {
      options.paths.emplace_back(word);
    }
  }
  if (!options.has_seed) options.seed = std::random_device{}();
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  if (LLVMFuzzerInitialize != nullptr) LLVMFuzzerInitialize(&argc, &argv);
  const Options options = parse_options(argc, argv);
  install_crash_handlers(argv[0]);
  std::printf("seed %llu\n", static_cast<unsigned long long>(options.seed));
  std::fflush(stdout);

  const std::vector<Input> corpus = read_corpus(options.paths);
  for (const Input& input : corpus) run_one(input);

  uint64_t runs = corpus.size();
  Mutator mutator(options.seed, corpus, options.input_bytes_max);
  const std::clock_t end = std::clock() + options.seconds * CLOCKS_PER_SEC;
  while (std::clock() < end) {
    run_one(mutator.next());
    ++runs;
  }
  std::printf("%llu runs, none crashed\n", static_cast<unsigned long long>(runs));
  return 0;
}
