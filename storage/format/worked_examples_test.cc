#include "storage/format/worked_examples.h"

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace historian::format {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string PageOf(const std::string& text) {
  const std::string path = testing::TempDir() + "/page.md";
  std::ofstream(path) << text;
  return path;
}

TEST(WorkedExamples, BytesAreThoseOfTheNamedBlocks) {
  const auto examples =
      ReadWorkedExamples(PageOf("# A page\n"
                                "```\ngrammar = byte\n```\n"
                                "00 is not in a block.\n"
                                "```one\n01 02  first\nff\n```\n"
                                "```two\n03              last, 04 not\n```\n"));
  ASSERT_TRUE(examples.ok()) << examples.status();
  EXPECT_THAT(*examples, ElementsAre(Pair("one", "\x01\x02\xff"), Pair("two", "\x03")));
}

TEST(WorkedExamples, WhatCannotBeReadIsRefusedWithItsLine) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"```one\n01 one space\n```\n", ":2: a line of an example must begin with bytes"},
      {"```one\n\n```\n", ":2: a line of an example must begin with bytes"},
      {"```one\n012 03\n```\n", ":2: a line of an example must begin with bytes"},
      {"```one\n01\n```\n```one\n01\n```\n", ":4: a second example of this name"},
      {"```one\n01\n", ":2: a fenced block does not end"},
  };
  for (const auto& c : cases) {
    const auto examples = ReadWorkedExamples(PageOf(c.text));
    EXPECT_EQ(examples.status().code(), absl::StatusCode::kInvalidArgument) << c.text;
    EXPECT_THAT(std::string(examples.status().message()), HasSubstr(c.message));
  }
  EXPECT_EQ(ReadWorkedExamples(testing::TempDir() + "/nothing.md").status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace historian::format
