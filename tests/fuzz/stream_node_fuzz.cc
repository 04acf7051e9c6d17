// Packed nodes of streams: a node is built from the input's first bytes, then damaged by its last ones, so that most
// damage lies in a node that is otherwise good. Whatever validate_stream_node() takes must be walked in both directions
// with the counts that it found, and bear further entries and deletions.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/assert.h"
#include "storage/block_allocator.h"
#include "storage/stream_node.h"

namespace {

using namespace larder;

constexpr StreamId kNodeId{1000, 5};

class Input {
 public:
  Input(const uint8_t* bytes, size_t size) : bytes_(bytes), size_(size) {}
  bool empty() const { return at_ == size_; }
  uint8_t byte() { return empty() ? 0 : bytes_[at_++]; }
  Bytes rest() const { return {reinterpret_cast<const char*>(bytes_) + at_, size_ - at_}; }

 private:
  const uint8_t* bytes_;
  size_t size_;
  size_t at_ = 0;
};

// A text that packs in one of several ways: short, an integer, or longer than one byte of length tells.
std::string text_of(uint8_t kind) {
  if (kind < 100) return std::string(kind % 7, static_cast<char>('a' + kind % 26));
  if (kind < 200) return std::to_string((int64_t{kind} - 150) * kind * (kind % 2 == 0 ? 1 : 100'003));
  return std::string(size_t{kind} * 3, 'x');
}

void append(StreamMemory& memory, StreamNode*& node, StreamId id, Input& input) {
  std::vector<std::string> texts;
  const size_t pairs = 1 + input.byte() % 3;
  for (size_t i = 0; i < pairs * 2; i++) texts.push_back(text_of(i % 2 == 0 ? input.byte() % 3 : input.byte()));
  const std::vector<Bytes> fields(texts.begin(), texts.end());
  if (node == nullptr) {
    node = create_stream_node(memory, id, fields);
  } else {
    append_to_stream_node(memory, *node, id, fields);
  }
}

// Deletes the entry at `index`, counted over those that are not deleted. False: there is none.
bool erase(StreamMemory& memory, StreamNode& node, uint64_t index) {
  const StreamNodeReader reader(node);
  for (const char* at = reader.begin(); at != reader.end();) {
    StreamEntry entry;
    bool deleted;
    const char* next = reader.read(at, &entry, &deleted);
    if (!deleted && index-- == 0) {
      delete_in_stream_node(memory, node, at);
      return true;
    }
    at = next;
  }
  return false;
}

StreamNode* build(StreamMemory& memory, Input& input) {
  StreamNode* node = nullptr;
  StreamId id = kNodeId;
  const size_t steps = 1 + input.byte() % 24;
  for (size_t i = 0; i < steps; i++) {
    const uint8_t step = input.byte();
    if (step % 4 == 0 && node != nullptr) {
      if (StreamNodeReader(*node).live() > 1) erase(memory, *node, step / 4 % StreamNodeReader(*node).live());
      continue;
    }
    append(memory, node, id, input);
    id = step % 2 == 0 ? StreamId{id.ms, id.seq + 1} : StreamId{id.ms + step, step};
  }
  if (node == nullptr) append(memory, node, id, input);
  return node;
}

// Each damage is three bytes: where, how, and with what.
void damage(std::string& sequence, Input& input) {
  while (!input.empty() && !sequence.empty()) {
    const size_t at = (size_t{input.byte()} * 256 + input.byte()) % sequence.size();
    const uint8_t how = input.byte();
    if (how < 160) {
      sequence[at] = static_cast<char>(input.byte());
    } else if (how < 200) {
      sequence.erase(at, 1 + how % 5);
    } else if (how < 240) {
      sequence.insert(at, 1, static_cast<char>(input.byte()));
    } else {
      sequence.resize(at);
    }
  }
}

void check_walks(const StreamNode& node, const StreamNodeFacts& facts) {
  const StreamNodeReader reader(node);
  LARDER_ASSERT(reader.live() == facts.live);
  std::vector<const char*> starts;
  uint64_t live = 0;
  StreamId last;
  for (const char* at = reader.begin(); at != reader.end();) {
    StreamEntry entry;
    bool deleted;
    const char* next = reader.read(at, &entry, &deleted);
    LARDER_ASSERT(starts.empty() ? entry.id == facts.first : last < entry.id);
    LARDER_ASSERT(reader.at_or_after(entry.id) == at);
    last = entry.id;
    size_t bytes = 0;
    char digits[kInt64TextBytesMax];
    entry.for_each_field([&](const PackedElement& name, const PackedElement& value) {
      bytes += name.text(digits).size();
      bytes += value.text(digits).size();
    });
    LARDER_ASSERT(bytes <= node.bytes * kInt64TextBytesMax);
    live += !deleted;
    starts.push_back(at);
    at = next;
  }
  LARDER_ASSERT(live == facts.live && (starts.empty() || last == facts.last));
  const char* end = reader.end();
  for (size_t i = starts.size(); i-- > 0;) {
    end = StreamNodeReader::start_before(end);
    LARDER_ASSERT(end == starts[i]);
  }
  LARDER_ASSERT(end == reader.begin());
}

void check_valid(const StreamNode& node) {
  StreamNodeFacts facts;
  const bool good = validate_stream_node(node.id, node.sequence(), &facts);
  LARDER_ASSERT(good && facts.elements == node.elements);
  check_walks(node, facts);
}

void use(StreamMemory& memory, StreamNode* node, const StreamNodeFacts& facts) {
  check_walks(*node, facts);
  StreamId id = facts.last;
  if (id.ms < UINT64_MAX / 2) {
    id = {id.ms + 1, 0};
    const std::string texts[] = {"name", "12345"};
    const Bytes fields[] = {texts[0], texts[1]};
    append_to_stream_node(memory, *node, id, fields);
    check_valid(*node);
  }
  while (StreamNodeReader(*node).live() > 1) {
    const bool erased = erase(memory, *node, StreamNodeReader(*node).live() / 2);
    LARDER_ASSERT(erased);
    check_valid(*node);
  }
  drop_deleted_tail(memory, *node);
  check_valid(*node);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  BlockAllocator blocks;
  StreamMemory memory(blocks);
  std::string sequence;
  if (input.byte() % 8 != 0) {
    StreamNode* built = build(memory, input);
    check_valid(*built);
    sequence = std::string(built->sequence());
    free_stream_node(memory, built);
    damage(sequence, input);
  } else {
    sequence = std::string(input.rest());
  }
  StreamNodeFacts facts;
  // A copy of the exact size, so that a sanitizer sees a read beyond the end.
  if (validate_stream_node(kNodeId, std::string(sequence), &facts)) {
    StreamNode* node = create_stream_node(memory, kNodeId, sequence, facts.elements);
    use(memory, node, facts);
    free_stream_node(memory, node);
  }
  LARDER_ASSERT(memory.bytes() == 0);
  return 0;
}
