#include "server/core/registry.h"

#include <algorithm>

#include "base/assert.h"
#include "base/number_text.h"
#include "base/short_load.h"

namespace larder {
namespace {

constexpr uint64_t kCaseBits = 0x2020202020202020ull;

// The first eight bytes of the name in one word, ASCII letters folded to lower case. Bytes that are no letters may be
// changed too ('[' becomes '{'), which only means that a comparison follows.
uint64_t folded_prefix(Bytes name) {
  const uint64_t used = name.size() >= 8 ? ~0ull : (1ull << (8 * name.size())) - 1;
  return load_short(name.data(), std::min<size_t>(name.size(), 8)) | (kCaseBits & used);
}

// Whether eight bytes of a name in lower case and eight of a request differ at most in the case of letters: in one bit of
// a byte, and that byte is a letter.
bool same_but_for_case(uint64_t lower, uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101ull;
  constexpr uint64_t kHighBits = kOnes << 7;
  const uint64_t difference = lower ^ word;
  if (difference == 0) return true;
  const uint64_t seven_bits = lower & ~kHighBits;
  const uint64_t letters =
      (seven_bits + kOnes * (128 - 'a')) & ~(seven_bits + kOnes * (127 - 'z')) & ~lower & kHighBits;
  return (difference & ~(letters >> 2)) == 0;
}

// equals_ignore_case() for names of the table: not empty, in lower case, and of the same size as `name`.
bool matches_name(Bytes lower, Bytes name) {
  const size_t size = name.size();
  if (size <= 8) return same_but_for_case(load_short(lower.data(), size), load_short(name.data(), size));
  for (size_t at = 0; at + 8 < size; at += 8) {
    if (!same_but_for_case(load_short(lower.data() + at, 8), load_short(name.data() + at, 8))) return false;
  }
  return same_but_for_case(load_short(lower.data() + size - 8, 8), load_short(name.data() + size - 8, 8));
}

uint64_t cell_hash(uint64_t prefix, size_t size) {
  return (prefix ^ (size * 0x9e3779b97f4a7c15ull)) * 0xd6e8feb86659fd93ull;
}

}  // namespace

Registry::Registry(std::span<const CommandFamily> families) {
  for (const CommandFamily& family : families) {
    for (const CommandSpec& row : family.rows) {
      Command& command = add(row, family, nullptr);
      top_level_.push_back(&command);
      names_.emplace_back(to_lower(row.name), &command);
      for (const CommandSpec& sub_row : row.subcommands) {
        command.subcommands.push_back(&add(sub_row, family, &command));
      }
    }
  }
  index_names();
}

Command& Registry::add(const CommandSpec& spec, const CommandFamily& family, Command* parent) {
  auto command = std::make_unique<Command>();
  command->spec = &spec;
  command->parent = parent;
  command->full_name = parent != nullptr ? parent->full_name + "|" + std::string(spec.name) : std::string(spec.name);
  command->index = static_cast<uint32_t>(all_.size());
  if (spec.keys.count > 0 && spec.keys.specs[0].begin == KeySpec::Begin::kIndex &&
      spec.keys.specs[0].find == KeySpec::Find::kRange && !(spec.keys.specs[0].flags & kKeyNotKey)) {
    command->first_key = spec.keys.specs[0].begin_index;
  }
  if (command->first_key != 0) command->item = static_cast<int8_t>(item_argument(spec.flags));
  const auto docs = std::find_if(family.docs.begin(), family.docs.end(),
                                 [&](const CommandDocs& each) { return each.name == command->full_name; });
  if (docs != family.docs.end()) command->docs = &*docs;
  groups_.push_back(family.group);
  all_.push_back(std::move(command));
  return *all_.back();
}

void Registry::index_names() {
  size_t capacity = 64;
  while (capacity < names_.size() * 3) capacity *= 2;
  cells_.assign(capacity, Cell{});
  for (auto& [known, target] : names_) {
    const uint64_t prefix = folded_prefix(known);
    size_t at = cell_hash(prefix, known.size()) >> 32 & (capacity - 1);
    while (cells_[at].command != nullptr) at = (at + 1) & (capacity - 1);
    cells_[at] = {prefix, target, Bytes(known)};
  }
}

const Command* Registry::find(Bytes name) const {
  if (name.empty()) return nullptr;
  const uint64_t prefix = folded_prefix(name);
  const size_t mask = cells_.size() - 1;
  for (size_t at = cell_hash(prefix, name.size()) >> 32 & mask; cells_[at].command != nullptr; at = (at + 1) & mask) {
    const Cell& cell = cells_[at];
    if (cell.word == prefix && cell.name.size() == name.size() && matches_name(cell.name, name)) {
      return cell.command;
    }
  }
  return nullptr;
}

const Command* Registry::find_subcommand(const Command& container, Bytes name) {
  for (const Command* sub : container.subcommands) {
    if (equals_ignore_case(sub->spec->name, name)) return sub;
  }
  return nullptr;
}

const Command* Registry::resolve_logged(std::span<const Bytes> argv) const {
  const auto known = std::find_if(renamed_.begin(), renamed_.end(), [&](const Command* command) {
    return equals_ignore_case(command->spec->name, argv[0]);
  });
  return resolve_in(known != renamed_.end() ? *known : find(argv[0]), argv);
}

const Command* Registry::find_full_name(Bytes full_name) const {
  const size_t bar = full_name.find('|');
  const Command* command = find(full_name.substr(0, bar));
  if (command == nullptr || bar == Bytes::npos) return command;
  return find_subcommand(*command, full_name.substr(bar + 1));
}

bool Registry::rename(Bytes name, Bytes new_name) {
  const auto known = std::find_if(names_.begin(), names_.end(),
                                  [&](const auto& entry) { return equals_ignore_case(entry.first, name); });
  if (known == names_.end()) return false;
  if (!new_name.empty() && find(new_name) != nullptr) return false;
  Command* command = known->second;
  names_.erase(known);
  renamed_.push_back(command);
  command->renamed = true;
  for (Command* sub : command->subcommands) sub->renamed = true;
  if (new_name.empty()) {
    std::erase(top_level_, command);
  } else {
    names_.emplace_back(to_lower(new_name), command);
  }
  index_names();
  return true;
}

void Registry::reset_stats() const {
  for (const auto& command : all_) command->stats = CommandStats{};
}

KeyRange key_range_of(const KeySpecs& keys) {
  if (keys.count == 0) return {};
  const KeySpec& first = keys.specs[0];
  if (first.begin != KeySpec::Begin::kIndex || first.find != KeySpec::Find::kRange) return {};
  if (keys.count > 1 && keys.specs[1].begin == KeySpec::Begin::kIndex && keys.specs[1].find == KeySpec::Find::kRange &&
      first.a == 0 && keys.specs[1].begin_index == first.begin_index + 1) {
    // Two neighbours (RENAME a b) read as one range.
    return {first.begin_index, keys.specs[1].a < 0 ? keys.specs[1].a : keys.specs[1].begin_index, 1};
  }
  const auto last = static_cast<int8_t>(first.a < 0 ? first.a : first.begin_index + first.a);
  return {first.begin_index, last, first.b};
}

namespace {

// Where a spec's keys begin among the arguments; 0 when its keyword is not there.
size_t begin_of(const KeySpec& spec, std::span<const Bytes> argv) {
  if (spec.begin == KeySpec::Begin::kIndex) return static_cast<size_t>(spec.begin_index);
  if (spec.begin != KeySpec::Begin::kKeyword) return 0;
  const auto count = static_cast<int64_t>(argv.size());
  const int64_t from = spec.begin_index < 0 ? count + spec.begin_index : spec.begin_index;
  const int64_t step = spec.begin_index < 0 ? -1 : 1;
  for (int64_t at = from; at > 0 && at < count; at += step) {
    if (equals_ignore_case(argv[static_cast<size_t>(at)], spec.keyword)) return static_cast<size_t>(at) + 1;
  }
  return 0;
}

bool add_range(const KeySpec& spec, size_t first, size_t argument_count, std::vector<KeyPosition>& keys) {
  const auto count = static_cast<int64_t>(argument_count);
  int64_t last = spec.a >= 0 ? static_cast<int64_t>(first) + spec.a : count + spec.a;
  if (spec.a < 0 && spec.c > 1) {
    last = static_cast<int64_t>(first) + (count - static_cast<int64_t>(first)) / spec.c + spec.a;
  }
  const int64_t step = std::max<int64_t>(spec.b, 1);
  for (auto at = static_cast<int64_t>(first); at <= last; at += step) {
    if (at >= count) return false;
    keys.push_back({static_cast<uint32_t>(at), spec.flags});
  }
  return true;
}

bool add_counted(const KeySpec& spec, size_t begin, std::span<const Bytes> argv, std::vector<KeyPosition>& keys) {
  const size_t count_at = begin + static_cast<size_t>(spec.a);
  if (count_at >= argv.size()) return false;
  const auto key_count = parse_int64(argv[count_at]);
  if (!key_count || *key_count < 0) return false;
  size_t at = begin + static_cast<size_t>(spec.b);
  const auto step = static_cast<size_t>(std::max<int8_t>(spec.c, 1));
  for (int64_t i = 0; i < *key_count; ++i, at += step) {
    if (at >= argv.size()) return false;
    keys.push_back({static_cast<uint32_t>(at), spec.flags});
  }
  return true;
}

// SORT's key that is written, which no spec can tell: its word may also be an argument of other words. 0: there is none.
size_t sort_destination(std::span<const Bytes> argv) {
  size_t found = 0;
  for (size_t at = 2; at < argv.size(); ++at) {
    if (equals_ignore_case(argv[at], "LIMIT")) {
      at += 2;
    } else if (equals_ignore_case(argv[at], "BY") || equals_ignore_case(argv[at], "GET")) {
      at += 1;
    } else if (equals_ignore_case(argv[at], "STORE") && at + 1 < argv.size()) {
      found = ++at;
    }
  }
  return found;
}

}  // namespace

bool find_keys(const Command& command, std::span<const Bytes> argv, std::vector<KeyPosition>& keys) {
  for (const KeySpec& spec : command.spec->keys.all()) {
    const size_t begin = begin_of(spec, argv);
    if (begin == 0) {
      const size_t destination =
          (spec.flags & kKeyOw) && spec.begin == KeySpec::Begin::kUnknown ? sort_destination(argv) : 0;
      if (destination != 0) keys.push_back({static_cast<uint32_t>(destination), spec.flags});
      continue;
    }
    if (begin >= argv.size()) return false;
    if (spec.find == KeySpec::Find::kRange && !add_range(spec, begin, argv.size(), keys)) return false;
    if (spec.find == KeySpec::Find::kKeyCount && !add_counted(spec, begin, argv, keys)) return false;
  }
  return true;
}

}  // namespace larder
