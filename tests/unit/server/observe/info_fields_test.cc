#include "server/observe/info_fields.h"

#include <gtest/gtest.h>

namespace larder {
namespace {

TEST(InfoFields, SectionsAndLines) {
  InfoFields fields;
  fields.section("Server");
  fields.text("a", "b");
  fields.number("n", -1);
  fields.section("Clients");
  fields.flag("loading", false);
  fields.decimal("ratio", 1.005, 2, "%");
  fields.bytes_and_human("used", 1536);
  fields.zeros({"x", "y"});
  EXPECT_EQ(fields.take(),
            "# Server\r\na:b\r\nn:-1\r\n\r\n# Clients\r\nloading:0\r\nratio:1.00%\r\nused:1536\r\nused_human:1.50K\r\n"
            "x:0\r\ny:0\r\n");
}

TEST(InfoFields, AValueCannotForgeAField) {
  InfoFields fields;
  fields.text("config_file", "/tmp/a\r\nrole:slave");
  EXPECT_EQ(fields.take(), "config_file:/tmp/a  role:slave\r\n");
}

}  // namespace
}  // namespace larder
