#include "protocol/error_text.h"

#include <gtest/gtest.h>

namespace larder {
namespace {

TEST(ErrorText, KnowsItsCode) {
  EXPECT_EQ(kWrongType.code(), "WRONGTYPE");
  EXPECT_EQ(kSyntax.code(), "ERR");
  EXPECT_TRUE(kSyntax);
  EXPECT_FALSE(ErrorText());
  static_assert(std::is_trivially_copyable_v<ErrorText>);
}

TEST(ErrorText, Builders) {
  EXPECT_EQ(wrong_arity_error("config|get"), "ERR wrong number of arguments for 'config|get' command");
  EXPECT_EQ(unknown_subcommand_error("config", "foo"), "ERR unknown subcommand 'foo'. Try CONFIG HELP.");
  EXPECT_EQ(invalid_expire_error("set"), "ERR invalid expire time in 'set' command");
  EXPECT_EQ(no_command_permission_error("alice", "get"),
            "NOPERM User alice has no permissions to run the 'get' command");
  EXPECT_EQ(exec_abort_error("x"), "EXECABORT Transaction discarded because of: x");
  EXPECT_EQ(no_group_error("k", "g"), "NOGROUP No such key 'k' or consumer group 'g'");
}

TEST(ErrorText, UnknownCommandsAreShownInPart) {
  const Bytes args[] = {"a", "b"};
  EXPECT_EQ(unknown_command_error("foo", args, 2), "ERR unknown command 'foo', with args beginning with: 'a' 'b' ");
  EXPECT_EQ(unknown_command_error("foo", nullptr, 0), "ERR unknown command 'foo', with args beginning with: ");
  const std::string long_name(500, 'n');
  const std::string long_arg(500, 'a');
  const Bytes many[] = {"x", long_arg, "y"};
  EXPECT_EQ(unknown_command_error(long_name, many, 3), "ERR unknown command '" + std::string(128, 'n') +
                                                           "', with args beginning with: 'x' '" +
                                                           std::string(124, 'a') + "' ");
}

}  // namespace
}  // namespace larder
