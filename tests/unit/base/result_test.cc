#include "base/result.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace larder {
namespace {

struct SmallError {
  Bytes text;
};
static_assert(std::is_trivially_copyable_v<Result<int64_t, SmallError>>);
static_assert(sizeof(Status) == sizeof(void*));

Status good() { return {}; }
Status bad() { return Error{ErrorCode::kNoSpace, "append x"}; }
Result<int> number(bool works) {
  if (!works) return Error{ErrorCode::kNotFound, "no number"};
  return 7;
}

TEST(Status, CarriesCodeAndMessage) {
  EXPECT_TRUE(good().ok());
  EXPECT_EQ(good().to_string(), "ok");
  const Status status = bad();
  EXPECT_FALSE(status.ok());
  EXPECT_FALSE(status);
  EXPECT_EQ(status.code(), ErrorCode::kNoSpace);
  EXPECT_EQ(status.to_string(), "no space: append x");
  const Status copy = status;
  EXPECT_EQ(copy.message(), "append x");
  EXPECT_EQ(status.message(), "append x");
}

TEST(Result, HoldsValueOrError) {
  const Result<int> value = number(true);
  ASSERT_TRUE(value);
  EXPECT_EQ(*value, 7);
  EXPECT_EQ(value.value_or(1), 7);
  EXPECT_TRUE(value.status().ok());
  const Result<int> none = number(false);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(none.value_or(1), 1);
  EXPECT_EQ(none.status().message(), "no number");
}

TEST(Result, MovesOnlyTypesThrough) {
  Result<std::unique_ptr<int>> owned = std::make_unique<int>(3);
  ASSERT_TRUE(owned);
  const std::unique_ptr<int> taken = *std::move(owned);
  EXPECT_EQ(*taken, 3);
}

TEST(Result, ArrowReadsThroughAPointer) {
  const std::string text = "abc";
  const Result<const std::string*, SmallError> found = &text;
  EXPECT_EQ(found->size(), 3u);
  const Result<std::string, SmallError> held = std::string("abcd");
  EXPECT_EQ(held->size(), 4u);
}

Result<std::string> chained(bool works, bool sync_works) {
  LARDER_TRY_ASSIGN(const int value, number(works));
  LARDER_TRY(sync_works ? good() : bad());
  return std::to_string(value);
}

TEST(Result, TryReturnsTheFirstError) {
  EXPECT_EQ(chained(true, true).value(), "7");
  EXPECT_EQ(chained(false, true).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(chained(true, false).error().code, ErrorCode::kNoSpace);
}

TEST(Result, OsErrorNamesOperationAndCause) {
  const Error error = os_error(ENOENT, "open dump.rdb");
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_EQ(error.message, "open dump.rdb: No such file or directory");
  EXPECT_EQ(os_error(ENOSPC, "").code, ErrorCode::kNoSpace);
  EXPECT_EQ(os_error(EACCES, "").code, ErrorCode::kPermission);
}

TEST(ResultDeathTest, ReadingTheWrongSideStops) {
  EXPECT_DEATH((void)number(false).value(), "assertion failed");
  EXPECT_DEATH((void)number(true).error(), "assertion failed");
  EXPECT_DEATH((void)good().error(), "assertion failed");
}

}  // namespace
}  // namespace larder
