// A table is written in pieces while it changes: what comes out is what it held at the beginning, each item once.

#include "storage/table_pieces.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "storage/set_structure.h"
#include "tests/unit/base/test_seed.h"

namespace larder {
namespace {

constexpr size_t kNameBytes = 6;

class NameOutput {
 public:
  explicit NameOutput(std::string& text) : text_(text) {}
  size_t size() const { return text_.size(); }
  void append(Bytes bytes) { text_ += bytes; }

 private:
  std::string& text_;
};

struct NameEncoding {
  using Chunk = std::string;
  using Output = NameOutput;
  static constexpr size_t kPieceBytes = 10 * kNameBytes;
  static size_t size(const NameOutput& out) { return out.size(); }
  static void append(NameOutput& out, std::string& chunk) { out.append(chunk); }
};

class SetPieces final : public StructureGuard, public TablePieces<NameEncoding> {
 public:
  SetPieces(Store& store, SetStructure& set) : TablePieces(set), store_(store), set_(set) { set.add_guard(*this); }
  ~SetPieces() override {
    EXPECT_FALSE(set_.remove_guard(*this));
    let_go_of_names(store_);
  }
  bool is_snapshot() const override { return false; }
  void changing() override { note_change(); }
  void item_changing(uint64_t hash, const void* item) override { write_early(hash, item); }
  void item_coming(uint64_t hash, Bytes name) override { leave_out(hash, name); }

  // Appends a piece to the text.
  bool write() {
    NameOutput out(text);
    return write_piece(out);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (size_t at = 0; at < text.size(); at += kNameBytes) all.push_back(text.substr(at, kNameBytes));
    std::sort(all.begin(), all.end());
    return all;
  }

  std::string text;

 private:
  uint64_t walk_some(NameOutput& out, uint64_t position) override {
    return set_.scan_items(position, [&](const SetMember& member) { meet(out, &member); });
  }
  void write_item(NameOutput& out, const void* item) const override { out.append(name_of(item)); }
  Bytes name_of(const void* item) const override { return static_cast<const SetMember*>(item)->text(); }

  Store& store_;
  SetStructure& set_;
};

class TablePiecesTest : public testing::Test {
 protected:
  explicit TablePiecesTest()
      : store_(StoreOptions{.hash_seed = 7}),
        set_(create_structure<SetStructure>(store_.structure_resources(), SetForm::kHashtable)) {}
  ~TablePiecesTest() override {
    store_.dispose(set_);
    while (store_.free_some(1000)) {
    }
    EXPECT_EQ(store_.blocks().used_bytes(), 0u);
  }
  static std::string name(uint64_t number) {
    std::string digits = std::to_string(number);
    return std::string(kNameBytes - digits.size(), '0') + digits;
  }
  std::vector<std::string> members() const {
    std::vector<std::string> all;
    set_->for_each([&](Bytes member) { all.emplace_back(member); });
    std::sort(all.begin(), all.end());
    return all;
  }

  Store store_;
  SetStructure* set_;
};

TEST_F(TablePiecesTest, WithoutChangesNothingIsKept) {
  for (uint64_t i = 0; i < 1000; i++) set_->add(name(i));
  SetPieces pieces(store_, *set_);
  EXPECT_EQ(pieces.item_count(), 1000u);
  size_t count = 1;
  while (pieces.write()) count++;
  EXPECT_EQ(pieces.names(), members());
  EXPECT_GT(count, 30u);
  EXPECT_LE(count, 101u);
  EXPECT_EQ(pieces.early_bytes() + pieces.name_bytes(), 0u);
}

TEST_F(TablePiecesTest, WhatGoesBeforeItsTurnGoesOutWithTheNextPieces) {
  for (uint64_t i = 0; i < 200; i++) set_->add(name(i));
  const std::vector<std::string> expected = members();
  SetPieces pieces(store_, *set_);
  for (uint64_t i = 0; i < 200; i++) set_->remove(name(i));
  EXPECT_EQ(pieces.early_bytes(), 200 * kNameBytes);
  EXPECT_GT(pieces.name_bytes(), 0u);
  // Comes again, which is another item; and goes again.
  set_->add(name(7));
  set_->remove(name(7));
  set_->add(name(8));
  EXPECT_EQ(pieces.early_bytes(), 200 * kNameBytes);
  EXPECT_TRUE(pieces.write());
  EXPECT_EQ(pieces.early_bytes(), 200 * kNameBytes - pieces.text.size());
  while (pieces.write()) {
  }
  EXPECT_EQ(pieces.early_bytes(), 0u);
  EXPECT_EQ(pieces.names(), expected);
}

TEST_F(TablePiecesTest, RandomChangesBetweenPieces) {
  Random random(test_seed());
  for (int round = 0; round < 300; round++) {
    const uint64_t names = 1 + random.uniform(600);
    for (uint64_t i = random.uniform(names); i > 0; i--) set_->add(name(random.uniform(names)));
    const std::vector<std::string> expected = members();
    SetPieces pieces(store_, *set_);
    bool more = true;
    while (more) {
      for (uint64_t i = random.uniform(60); i > 0; i--) {
        const std::string changed = name(random.uniform(names));
        random.one_in(2) ? set_->add(changed) : set_->remove(changed);
      }
      const size_t before = pieces.text.size();
      more = pieces.write();
      // A chunk may hold an item more than a piece, and a bucket a few.
      EXPECT_LE(pieces.text.size() - before, 3 * NameEncoding::kPieceBytes);
    }
    ASSERT_EQ(pieces.names(), expected) << "round " << round;
    EXPECT_EQ(pieces.early_bytes(), 0u);
    set_->check_integrity();
  }
}

}  // namespace
}  // namespace larder
