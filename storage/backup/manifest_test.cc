#include "storage/backup/manifest.h"

#include <fstream>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/backup/checked_text.h"
#include "storage/backup/digest.h"

namespace historian::backup {
namespace {

using ::testing::HasSubstr;

// What stands between ```example and ``` in the page.
std::string ExampleOfThePage() {
  std::ifstream in("storage/backup/backup.md");
  std::string example, line;
  bool inside = false;
  while (std::getline(in, line)) {
    if (inside && line == "```") return example;
    if (inside) absl::StrAppend(&example, line, "\n");
    if (line == "```example") inside = true;
  }
  return "";
}

Manifest Example() {
  Manifest manifest;
  manifest.info = {.id = "20261129T101500Z-8000",
                   .archive_id = "000102030405060708090a0b0c0d0e0f",
                   .server_version = "0.1.0",
                   .begun = *ParseTimestamp("2026-11-29T10:15:00.5Z"),
                   .taken = *ParseTimestamp("2026-11-29T10:15:00.505Z"),
                   .ended = *ParseTimestamp("2026-11-29T10:15:02Z"),
                   .version = 17,
                   .version_time = *ParseTimestamp("2026-11-29T10:15:00.51Z"),
                   .new_files = 1,
                   .new_bytes = 3,
                   .files = 2,
                   .bytes = 21};
  manifest.files = {{.path = "FORMAT", .size_bytes = 18, .digest = DigestOf("historian store 1\n")},
                    {.path = "rocksdb/000011.sst",
                     .size_bytes = 3,
                     .digest = DigestOf("abc"),
                     .written_ns = 1'795'947'300'000'000'000}};
  return manifest;
}

TEST(ManifestPage, TheExampleIsWhatIsWritten) { EXPECT_EQ(ExampleOfThePage(), EncodeManifest(Example())); }

TEST(ManifestPage, TheExampleIsRead) {
  const absl::StatusOr<Manifest> read = DecodeManifest(ExampleOfThePage(), "the example");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, Example());
}

TEST(Manifest, EachBitIsMissed) {
  const std::string whole = EncodeManifest(Example());
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] ^= static_cast<char>(1 << bit % 8);
    ASSERT_EQ(DecodeManifest(damaged, "it").status().code(), absl::StatusCode::kDataLoss) << bit;
  }
  for (size_t size = 0; size < whole.size(); ++size) {
    ASSERT_EQ(DecodeManifest(whole.substr(0, size), "it").status().code(), absl::StatusCode::kDataLoss)
        << size;
  }
}

// With a right checksum, as an enemy would write it.
TEST(Manifest, WhatMakesNoSenseIsRefused) {
  std::string lines = EncodeManifest(Example());
  lines.resize(lines.find("end "));
  ASSERT_TRUE(DecodeManifest(WithEnd(lines), "it").ok());
  const std::string long_path(201, 'a');
  const std::pair<std::string, std::string> changes[] = {
      {"rocksdb/000011.sst", "../000011.sst"},
      {"rocksdb/000011.sst", "rocksdb/../../etc/passwd"},
      {"rocksdb/000011.sst", "/etc/passwd"},
      {"rocksdb/000011.sst", "rocksdb//x"},
      {"rocksdb/000011.sst", "rocksdb/."},
      {"rocksdb/000011.sst", "rocksdb/a b"},
      {"rocksdb/000011.sst", "rocksdb/a\x01"},
      {"rocksdb/000011.sst", long_path},
      {"rocksdb/000011.sst", "FORMAT"},  // Twice.
      {"rocksdb/000011.sst", "A"},       // Not in order.
      {"rocksdb/000011.sst", ""},
      {"\nfile ba78", "\nfile BA78"},
      {"\nfile ba78", "\nfile ../../"},
      {" 3 1795", " -3 1795"},
      {" 3 1795", " 18446744073709551616 1795"},
      {"version 17", "version 4294967295"},
      {"version 17", "version x"},
      {"taken 2026", "taken 1026"},
      {"id 20261129T101500Z-8000", "id ../REPOSITORY"},
      {"id 20261129T101500Z-8000", "id "},
      {"archive 0001", "archives 0001"},
  };
  for (const auto& [from, to] : changes) {
    const std::string changed = absl::StrReplaceAll(lines, {{from, to}});
    ASSERT_NE(changed, lines);
    EXPECT_EQ(DecodeManifest(WithEnd(changed), "it").status().code(), absl::StatusCode::kDataLoss)
        << from << " " << to;
  }
}

TEST(Manifest, OneOfANewerProgramIsRefused) {
  std::string lines = EncodeManifest(Example());
  lines.resize(lines.find("end "));
  const absl::Status status =
      DecodeManifest(WithEnd(absl::StrReplaceAll(lines, {{"historian backup 1", "historian backup 2"}})),
                     "it")
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("newer Historian: its format is 2, this one reads up to 1"));
}

TEST(BackupId, IsInOrderOfTime) {
  Timestamp time = *ParseTimestamp("2026-11-29T10:15:00Z");
  std::string before = NewBackupId(time);
  EXPECT_EQ(before, "20261129T101500Z-0000");
  for (int i = 0; i < 200; ++i) {
    time += 16'000'000;
    const std::string id = NewBackupId(time);
    EXPECT_TRUE(IsBackupId(id)) << id;
    EXPECT_LT(before, id);
    before = id;
  }
  for (const char* other : {"", "20261129T101500Z", "20261129T101500Z-7F3A", "20261129 101500Z-7f3a",
                            "../../../../../../a/b", "20261129T101500Z-7f3a "}) {
    EXPECT_FALSE(IsBackupId(other)) << other;
  }
}

}  // namespace
}  // namespace historian::backup
