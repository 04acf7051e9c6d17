#include "clients/cli/reply_format.h"

#include <gtest/gtest.h>

#include "clients/cli/cli_options.h"
#include "clients/cli/command_hints.h"

namespace larder::cli {
namespace {

Reply reply_of(Bytes resp) {
  ReplyReader reader;
  reader.feed(resp);
  Reply reply;
  EXPECT_EQ(reader.next(&reply), ReplyOutcome::kReply);
  return reply;
}

TEST(ReplyFormat, StandardNumbersAndIndents) {
  const Reply reply = reply_of("*3\r\n:1\r\n*2\r\n$1\r\na\r\n*0\r\n$-1\r\n");
  EXPECT_EQ(format_reply(reply, OutputFormat::kStandard),
            "1) (integer) 1\n2) 1) \"a\"\n   2) (empty array)\n3) (nil)\n");
}

TEST(ReplyFormat, StandardShowsTheKindsOfResp3) {
  EXPECT_EQ(format_reply(reply_of("%1\r\n$1\r\na\r\n,1.5\r\n"), OutputFormat::kStandard), "1# \"a\" => (double) 1.5\n");
  EXPECT_EQ(format_reply(reply_of("~1\r\n#t\r\n"), OutputFormat::kStandard), "1~ (true)\n");
  EXPECT_EQ(format_reply(reply_of("%0\r\n"), OutputFormat::kStandard), "(empty hash)\n");
}

TEST(ReplyFormat, RawTakesTheDelimiter) {
  EXPECT_EQ(format_reply(reply_of("*2\r\n$1\r\na\r\n:2\r\n"), OutputFormat::kRaw, ";"), "a;2");
}

TEST(ReplyFormat, Csv) {
  EXPECT_EQ(format_reply(reply_of("*3\r\n$3\r\na\"b\r\n:2\r\n$-1\r\n"), OutputFormat::kCsv), "\"a\\\"b\",2,NULL");
}

TEST(ReplyFormat, JsonIsAlwaysJson) {
  EXPECT_EQ(format_reply(reply_of("%1\r\n$1\r\na\r\n*1\r\n$-1\r\n"), OutputFormat::kJson), "{\"a\":[null]}");
  EXPECT_EQ(format_reply(reply_of("-ERR no\r\n"), OutputFormat::kJson), "{\"error\":\"ERR no\"}");
  EXPECT_EQ(format_reply(reply_of(",inf\r\n"), OutputFormat::kJson), "\"inf\"");
  EXPECT_EQ(format_reply(reply_of("$3\r\na\xff\"\r\n"), OutputFormat::kQuotedJson), "\"a\\\\xff\\\\\\\"\"");
}

TEST(CliOptions, ReadsFlagsAndCommand) {
  const auto options = parse_cli_options({"-p", "7000", "-n", "2", "--raw", "-d", ",", "-D", ";", "GET", "-p"}, "");
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->endpoint.port, 7000);
  EXPECT_EQ(options->endpoint.database, 2);
  EXPECT_EQ(options->delimiter, ",");
  EXPECT_EQ(options->reply_delimiter, ";");
  EXPECT_EQ(options->mode, CliMode::kCommand);
  EXPECT_EQ(options->command, (std::vector<std::string>{"GET", "-p"}));
}

TEST(CliOptions, JsonPrefersResp3) {
  EXPECT_EQ(parse_cli_options({"--json", "PING"}, "")->endpoint.protocol_version, 3);
  EXPECT_EQ(parse_cli_options({"-2", "--json", "PING"}, "")->endpoint.protocol_version, 2);
}

TEST(CliOptions, HostAloneIsHelp) { EXPECT_EQ(parse_cli_options({"-h"}, "")->mode, CliMode::kHelp); }

TEST(CliOptions, QuotedInput) {
  EXPECT_EQ(parse_cli_options({"--quoted-input", "ECHO", "\"\\x41 b\""}, "")->command.back(), "A b");
  EXPECT_FALSE(parse_cli_options({"--quoted-input", "ECHO", "\"a"}, "").ok());
}

TEST(CliOptions, RefusesMistakes) {
  EXPECT_FALSE(parse_cli_options({"--nope"}, "").ok());
  EXPECT_FALSE(parse_cli_options({"-p"}, "").ok());
  EXPECT_FALSE(parse_cli_options({"-p", "70000", "PING"}, "").ok());
  EXPECT_FALSE(parse_cli_options({"-x", "-X", "a", "SET"}, "").ok());
}

TEST(CommandHints, CompletesAndHints) {
  CommandHints hints;
  hints.load(
      reply_of("*2\r\n$3\r\nset\r\n*4\r\n$5\r\ngroup\r\n$6\r\nstring\r\n$9\r\narguments\r\n*2\r\n"
               "*4\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n"
               "*4\r\n$4\r\nname\r\n$5\r\nvalue\r\n$4\r\ntype\r\n$6\r\nstring\r\n"));
  EXPECT_EQ(hints.completions("s"), (std::vector<std::string>{"SET"}));
  EXPECT_EQ(hints.hint_for("set"), "key value");
  EXPECT_EQ(hints.hint_for("SET k"), "value");
  EXPECT_EQ(hints.hint_for("nope"), "");
  EXPECT_NE(hints.help_for("set").find("SET key value"), std::string::npos);
  EXPECT_NE(hints.help_for("@string").find("SET"), std::string::npos);
}

}  // namespace
}  // namespace larder::cli
