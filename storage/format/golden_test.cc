// Keeps old bytes: what is stored today must be read, and written the same, for as long as the version stands.
// And holds the codecs to the worked examples of the pages in this folder.
//
// testdata/pages.golden and heads.golden hold a line for each case: its name, its value type, its bytes in
// hexadecimal. This test writes them:
//
//   HISTORIAN_GOLDEN_DIR=$PWD/storage/format/testdata bazel-bin/storage/format/golden_test
//
// A changed line is a changed format: it asks for a new version, or for a reason why nobody has stored such
// bytes.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/aggregate/summary.h"
#include "storage/format/block.h"
#include "storage/format/bytes.h"
#include "storage/format/key.h"
#include "storage/format/page.h"
#include "storage/format/plant_samples.h"
#include "storage/format/rollup.h"
#include "storage/format/short_page.h"
#include "storage/format/version_column.h"
#include "storage/format/worked_examples.h"

namespace historian::format {
namespace {

constexpr char kDirectory[] = "storage/format/";
constexpr Timestamp kStart = 1'796'007'600'000'000'000;  // 2026-11-30T03:00:00Z
constexpr Timestamp kMillisecond = 1'000'000;

struct Case {
  std::string name;
  ValueType type;
  Samples samples;
  bool zstd = false;  // Its bytes may change with the library; they must be read, not written the same.
  Density density = Density::kFast;
};

std::string Encoded(const Case& c) {
  std::string bytes;
  EncodePage(c.type, c.samples.View(), &bytes, nullptr, c.density);
  return bytes;
}

Samples EverySecond(size_t size, const std::function<ValueBits(size_t)>& value) {
  Samples samples;
  for (size_t i = 0; i < size; ++i)
    samples.Add(kStart + static_cast<Timestamp>(i) * kNanosPerSecond, value(i));
  return samples;
}

// The example of page.md.
Samples ExamplePage() {
  Samples samples;
  const int milliseconds[] = {0, 1002, 1999, 3001};
  const double values[] = {20.4, 20.5, 20.4, 20.7};
  for (size_t i = 0; i < 4; ++i) {
    samples.Add(kStart + milliseconds[i] * kMillisecond, BitsOfFloat64(values[i]),
                i < 3 ? kGood : kUncertain);
  }
  return samples;
}

// The example of the dense form in page.md: a level that is mostly 20.
Samples DenseExamplePage() {
  return EverySecond(240, [](size_t i) { return i % 16 == 3 ? 21 : i % 48 == 20 ? 19 : 20; });
}

std::vector<Case> PageCases() {
  std::vector<Case> cases;
  const auto add = [&cases](const std::string& name, ValueType type, Samples samples, bool zstd = false) {
    cases.push_back({name, type, std::move(samples), zstd});
  };
  const auto f64 = [](double v) { return BitsOfFloat64(v); };
  add("example", ValueType::kFloat64, ExamplePage());
  // Each encoding of values.
  add("constant", ValueType::kFloat64, EverySecond(9, [](size_t) { return 0x7FF8DEADBEEF1234; }));
  add("constant_float32", ValueType::kFloat32, EverySecond(9, [](size_t) { return 0x7FC00001; }));
  add("constant_int64", ValueType::kInt64, EverySecond(9, [](size_t) { return ~uint64_t{0}; }));
  add("constant_decimal", ValueType::kFloat64, EverySecond(9, [&](size_t) { return f64(-12.75); }));
  add("constant_widened", ValueType::kFloat64, EverySecond(1, [&](size_t) { return f64(20.1f); }));
  add("integers_of_bits", ValueType::kFloat64,
      EverySecond(20, [&](size_t i) { return f64(1.0 / static_cast<double>(7 + 3 * (i * 5 % 7 + i))); }));
  add("decimals", ValueType::kFloat64,
      EverySecond(20, [&](size_t i) { return f64(static_cast<double>(204 + i * i % 7) / 10); }));
  add("decimals_float32", ValueType::kFloat32, EverySecond(20, [](size_t i) {
        return BitsOfFloat32(static_cast<float>(static_cast<double>(204 + i * i % 7) / 10));
      }));
  add("patched_decimals", ValueType::kFloat64, EverySecond(40, [&](size_t i) {
        return i == 17   ? 0x8000000000000000
               : i == 30 ? 0x7FF0000000000000
                         : f64(static_cast<double>(204 + i * i % 7) / 10);
      }));
  add("dictionary", ValueType::kFloat64,
      EverySecond(60, [&](size_t i) { return f64(1.0 / static_cast<double>(3 + i * i % 5)); }));
  add("runs", ValueType::kFloat64, EverySecond(64, [&](size_t i) { return f64(i < 50 ? 60.5 : 61); }));
  add("raw", ValueType::kFloat64, EverySecond(3, [](size_t i) { return (i * i + 1) * 0x9E3779B97F4A7C15; }));
  add("raw_float32", ValueType::kFloat32,
      EverySecond(3, [](size_t i) { return (i * i + 1) * 0x9E3779B9 & 0xFFFFFFFF; }));
  add("widened", ValueType::kFloat64, EverySecond(20, [&](size_t i) {
        return f64(static_cast<float>(static_cast<double>(204 + i * i % 7) / 10));
      }));
  // Each kind of integer column.
  add("ramp", ValueType::kInt64, EverySecond(9, [](size_t i) { return 5 - 3 * i; }));
  add("offset", ValueType::kInt64, EverySecond(20, [](size_t i) { return 1000 + i * i * 7 % 16; }));
  add("offset_unit", ValueType::kInt64,
      EverySecond(20, [](size_t i) { return 1000 + 25 * (i * i * 7 % 16); }));
  add("offset_outliers", ValueType::kInt64,
      EverySecond(40, [](size_t i) { return i == 11 ? -9999 : 1000 + i * i * 7 % 16; }));
  add("delta", ValueType::kInt64, EverySecond(20, [](size_t i) { return i * 40 + i * i % 7; }));
  add("delta_unit", ValueType::kInt64, EverySecond(20, [](size_t i) { return (i * 40 + i * i % 7) * 170; }));
  add("delta_outliers", ValueType::kInt64,
      EverySecond(40, [](size_t i) { return i * 40 + i * i % 7 + (i > 20 ? 100000 : 0); }));
  add("width_64", ValueType::kInt64, EverySecond(4, [](size_t i) { return i % 2 << 63 | i; }));
  add("runs_of_256", ValueType::kInt64, EverySecond(300, [](size_t i) { return i * 0x9E3779B9 % 4093; }));
  add("runs_of_256_wide", ValueType::kInt64,
      EverySecond(300, [](size_t i) { return i * 0x9E3779B97F4A7C15 >> 20; }));
  // The other types.
  add("bools", ValueType::kBool, EverySecond(20, [](size_t i) { return i * i % 3 == 0; }));
  add("digital", ValueType::kDigital,
      EverySecond(40, [](size_t i) { return i * i % 3 == 0 ? 0xFFFFFFFF : 10; }));
  // Times.
  for (const int count : {1, 2, 20}) {
    Samples jitter, nanoseconds, gaps, old;
    for (int i = 0; i < count; ++i) {
      jitter.Add(kStart + (1000 * i + i * i % 7) * kMillisecond, 1);
      nanoseconds.Add(kStart + 1'000'003 * i * i + 17, 1);
      gaps.Add(kStart + (i + (i > 9 ? 3600 : 0)) * kNanosPerSecond, 1);
      old.Add(i == 0 ? kTimestampMin : i == 1 ? kTimestampMax - 100 : kTimestampMax - 100 + i, 1);
    }
    const std::string suffix = "_" + std::to_string(count);
    add("times_jitter" + suffix, ValueType::kBool, jitter);
    add("times_nanoseconds" + suffix, ValueType::kBool, nanoseconds);
    add("times_gap" + suffix, ValueType::kBool, gaps);
    add("times_far" + suffix, ValueType::kBool, old);
  }
  Samples clock;
  for (int i = 0; i < 40; ++i) clock.Add(kStart + (1000 * i + i * i * i % 11) * kMillisecond, 1);
  add("times_line", ValueType::kBool, clock);
  // Qualities.
  Samples bad = EverySecond(20, [](size_t i) { return i; });
  bad.qualities.assign(20, 0x80310000);
  add("qualities_constant", ValueType::kInt64, bad);
  for (size_t i = 0; i < 20; ++i)
    bad.qualities[i] = i % 3 == 0 ? kGood : i % 3 == 1 ? kUncertain : 0x80310000;
  add("qualities_mixed", ValueType::kInt64, bad);
  bad = EverySecond(64, [](size_t i) { return i; });
  bad.qualities.assign(64, kGood);
  for (size_t i = 20; i < 30; ++i) bad.qualities[i] = 0x80310000;
  add("qualities_runs", ValueType::kInt64, bad);
  // Strings.
  Samples texts;
  for (int i = 0; i < 5; ++i) texts.AddString(kStart + i, i % 2 == 0 ? "Batch 17" : "");
  add("strings", ValueType::kString, texts);
  texts.AddString(kStart + 9, std::string(300, 'x'));
  add("strings_zstd", ValueType::kString, texts, true);
  // The dense form.
  const auto add_dense = [&cases](const std::string& name, ValueType type, Samples dense) {
    cases.push_back({"dense_" + name, type, std::move(dense), false, Density::kDense});
  };
  add_dense("example", ValueType::kInt64, DenseExamplePage());
  const auto noise = [](size_t i) {
    return ((i * i + 17) * 0x9E3779B97F4A7C15 >> 40) * 11 >> 24;
  };  // 0 to 10.
  add_dense("offset", ValueType::kInt64, EverySecond(200, [&](size_t i) { return 1000 + 25 * noise(i); }));
  uint64_t walk = 0, slope = 0, swing = 0;
  add_dense("delta", ValueType::kInt64, EverySecond(200, [&](size_t i) { return walk += noise(i); }));
  add_dense("predicted", ValueType::kInt64,
            EverySecond(200, [&](size_t i) { return swing += slope += noise(i) - 5; }));
  add_dense("far_bins", ValueType::kInt64, EverySecond(200, [&](size_t i) {
              return noise(i) == 0 ? i * 0x9E3779B97F4A7C15 : noise(i) < 3 ? 70000 + i * i : 5;
            }));
  Samples late;
  for (size_t i = 0; i < 200; ++i) {
    late.Add(kStart + static_cast<Timestamp>(1000 * i + noise(i)) * kMillisecond, noise(i + 7) / 9);
  }
  add_dense("line", ValueType::kBool, late);
  add_dense("near_decimals", ValueType::kFloat64, EverySecond(60, [&](size_t i) {
              return f64(static_cast<double>(50000 + 37 * noise(i)) / 1000) + noise(i + 9) % 3;
            }));
  add_dense("near_float32", ValueType::kFloat64, EverySecond(60, [&](size_t i) {
              return f64(static_cast<double>(static_cast<float>(5000 + noise(i) * noise(i + 5)) / 1000.0F)) +
                     i % 2;
            }));
  add_dense("printed_digits", ValueType::kFloat64, EverySecond(60, [&](size_t i) {
              const double v = static_cast<float>(5000 + 9 * noise(i) + noise(i + 5)) / 1000.0F;
              return f64(static_cast<double>(std::llround(v * 1e14)) / 1e14);
            }));
  add_dense("printed_decimals", ValueType::kFloat64, EverySecond(60, [&](size_t i) {
              const double v = static_cast<float>(90000 + 90 * noise(i) + noise(i + 5)) / 70.0F;
              return f64(static_cast<double>(std::llround(v * 1e6)) / 1e6);
            }));
  add_dense("scaled", ValueType::kFloat64, EverySecond(60, [&](size_t i) {
              return f64(static_cast<double>(2000 + noise(i) * noise(i + 5)) * 0.0054);
            }));
  add_dense("scaled_float32", ValueType::kFloat32, EverySecond(60, [&](size_t i) {
              return BitsOfFloat32(
                  static_cast<float>(static_cast<double>(9000 + noise(i) * noise(i + 5)) / 184.32));
            }));
  add_dense(
      "near_scale", ValueType::kFloat64, EverySecond(120, [&](size_t i) {
        return f64(4 + static_cast<double>(300 * noise(i) + 7 * noise(i + 5) + noise(i + 8)) * 16 / 4095);
      }));
  return cases;
}

struct HeadCase {
  std::string name;
  BlockHead head;
};

BlockHead HeadOf(ValueType type, const Samples& samples, size_t page_size) {
  BlockHead head;
  head.type = type;
  uint32_t offset = 0;
  for (size_t begin = 0; begin < samples.size(); begin += page_size) {
    const SamplesView page = samples.View().Slice(begin, std::min(page_size, samples.size() - begin));
    std::string bytes;
    EncodePage(type, page, &bytes);
    const uint32_t size = type == ValueType::kString ? 40 : static_cast<uint32_t>(bytes.size());
    const uint32_t checksum = type == ValueType::kString ? 0x01020304 : Checksum(bytes);
    head.pages.push_back({offset, size, checksum, Summarize(type, page)});
    offset += size;
  }
  return head;
}

// The versions of the golden columns: version n closed n x 10 minutes after kStart.
void OpenAtGolden(const Timestamp* times, size_t size, uint32_t* versions) {
  for (size_t i = 0; i < size; ++i) {
    versions[i] =
        static_cast<uint32_t>(std::max<Timestamp>(0, times[i] - kStart) / (600 * kNanosPerSecond)) + 1;
  }
}

// `versions` of the samples, in the head as the dense form has them.
BlockHead WithVersions(BlockHead head, const Samples& samples, const std::vector<uint32_t>& versions) {
  std::string columns;
  size_t begin = 0;
  for (PageInfo& page : head.pages) {
    SamplesView view = samples.View().Slice(begin, page.summary.count);
    view.versions = versions.data() + begin;
    const PageVersions of_page = EncodeVersions(view, Density::kDense, OpenAtGolden);
    page.lowest_version = of_page.lowest;
    page.highest_version = of_page.highest;
    page.versions_size = static_cast<uint32_t>(of_page.column.size());
    columns += of_page.column;
    begin += page.summary.count;
  }
  if (!columns.empty()) head.versions_checksum = Checksum(columns);
  return head;
}

struct VersionCase {
  std::string name;
  std::vector<uint32_t> versions;
  Samples samples;
};

std::vector<VersionCase> VersionCases() {
  std::vector<VersionCase> cases;
  const auto add = [&cases](const std::string& name, Samples samples, auto version) {
    VersionCase& c = cases.emplace_back();
    c.name = name;
    for (size_t i = 0; i < samples.size(); ++i) c.versions.push_back(version(i));
    c.samples = std::move(samples);
  };
  const auto zero = [](size_t) { return ValueBits{0}; };
  // The page of block.md's example: the last sample came in the version after that of the one before.
  Samples example;
  example.Append(ValueType::kFloat64, ExamplePage().View(), 2, 2);
  add("example", example, [](size_t i) { return 3 + static_cast<uint32_t>(i); });
  // A sample a second, half an hour long, late by two seconds; one each minute late by half an hour.
  add("distances", EverySecond(1800, zero),
      [](size_t i) { return static_cast<uint32_t>((i + 2 + (i % 60 == 7 ? 1800 : 0)) / 600) + 1; });
  add("no_distances", EverySecond(1800, zero), [](size_t i) { return static_cast<uint32_t>(i / 600) + 1; });
  // A backfill in two parts, and one of which the parts came in turns.
  add("steps", EverySecond(1000, zero), [](size_t i) { return i < 300 ? 70'000u : 70'001u; });
  add("versions", EverySecond(1000, zero), [](size_t i) { return i % 300 < 150 ? 70'001u : 70'000u; });
  return cases;
}

std::vector<HeadCase> HeadCases() {
  std::vector<HeadCase> cases;
  cases.push_back(
      {"example", WithVersions(HeadOf(ValueType::kFloat64, ExamplePage(), 2), ExamplePage(), {3, 3, 3, 4})});
  for (const PlantKind& kind : PlantKinds()) {
    const Samples samples = kind.make(100, 1);
    // In some, each page of one version; in the others of several.
    std::vector<uint32_t> versions;
    const size_t in_one = cases.size() % 3 == 0 ? 40 : 7 * cases.size();
    for (size_t i = 0; i < samples.size(); ++i) versions.push_back(static_cast<uint32_t>(5 + i / in_one));
    cases.push_back({kind.name, WithVersions(HeadOf(kind.type, samples, 40), samples, versions)});
  }
  // Sums too wide for a column of integers.
  cases.push_back(
      {"wide_sums",
       HeadOf(ValueType::kFloat64,
              EverySecond(4, [](size_t i) { return BitsOfFloat64(i % 2 == 0 ? 1e300 : 1e-300); }), 2)});
  return cases;
}

std::string HexOf(const std::string& bytes) {
  std::string hex;
  for (const unsigned char c : bytes) {
    char two[3];
    std::snprintf(two, sizeof(two), "%02x", c);
    hex += two;
  }
  return hex;
}

std::string BytesOf(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// Name to hexadecimal bytes.
std::map<std::string, std::string> ReadGolden(const std::string& file) {
  std::map<std::string, std::string> lines;
  std::ifstream in(kDirectory + ("testdata/" + file));
  EXPECT_TRUE(in.good()) << file;
  for (std::string name, type, hex; in >> name >> type >> hex;) lines[name] = hex;
  return lines;
}

PageVersions Encoded(const VersionCase& c) {
  SamplesView view = c.samples.View();
  view.versions = c.versions.data();
  return EncodeVersions(view, Density::kDense, OpenAtGolden);
}

class Golden : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    const char* directory = std::getenv("HISTORIAN_GOLDEN_DIR");
    if (directory == nullptr) return;
    std::ofstream pages(std::string(directory) + "/pages.golden");
    for (const Case& c : PageCases()) {
      pages << c.name << ' ' << ValueTypeName(c.type) << ' ' << HexOf(Encoded(c)) << '\n';
    }
    std::ofstream heads(std::string(directory) + "/heads.golden");
    for (const HeadCase& c : HeadCases()) {
      std::string bytes;
      EncodeBlockHead(c.head, &bytes);
      heads << c.name << ' ' << ValueTypeName(c.head.type) << ' ' << HexOf(bytes) << '\n';
    }
    std::ofstream versions(std::string(directory) + "/versions.golden");
    for (const VersionCase& c : VersionCases()) {
      versions << c.name << " versions " << HexOf(Encoded(c).column) << '\n';
    }
  }
};

TEST_F(Golden, PagesAreWrittenAsEver) {
  const std::map<std::string, std::string> golden = ReadGolden("pages.golden");
  const std::vector<Case> cases = PageCases();
  EXPECT_EQ(golden.size(), cases.size());
  for (const Case& c : cases) {
    ASSERT_TRUE(golden.count(c.name)) << c.name;
    if (c.zstd) continue;
    EXPECT_EQ(HexOf(Encoded(c)), golden.at(c.name)) << c.name;
  }
}

TEST_F(Golden, PagesAreReadAsEver) {
  const std::map<std::string, std::string> golden = ReadGolden("pages.golden");
  for (const Case& c : PageCases()) {
    ASSERT_TRUE(golden.count(c.name)) << c.name;
    Samples samples;
    const absl::Status status = DecodePage(c.type, BytesOf(golden.at(c.name)), &samples);
    ASSERT_TRUE(status.ok()) << c.name << ": " << status;
    ASSERT_EQ(samples.size(), c.samples.size()) << c.name;
    for (size_t i = 0; i < samples.size(); ++i) {
      ASSERT_TRUE(SameSample(c.type, samples.View(), i, c.samples.View(), i)) << c.name << " sample " << i;
    }
  }
}

TEST_F(Golden, PagesCoverEveryEncodingOfValues) {
  std::set<int> encodings;
  for (const auto& [name, hex] : ReadGolden("pages.golden")) {
    if (name.rfind("strings", 0) == 0) continue;
    const std::string bytes = BytesOf(hex);
    ByteReader in(bytes);
    uint64_t head, size;
    ASSERT_TRUE(in.Varint(&head));
    absl::string_view skipped;
    if (head < 2) {
      unsigned scale;
      ASSERT_TRUE(in.Scaled(&size, &scale));
    } else {
      ASSERT_TRUE(in.Varint(&size) && in.Bytes(size, &skipped));
    }
    if ((head & 1) != 0) {
      ASSERT_TRUE(in.Varint(&size) && in.Bytes(size, &skipped));
    }
    uint8_t encoding = 0;
    ASSERT_TRUE(in.Byte(&encoding));
    encodings.insert(encoding & 15);
  }
  EXPECT_THAT(encodings, testing::ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
}

TEST_F(Golden, HeadsAreWrittenAndReadAsEver) {
  const std::map<std::string, std::string> golden = ReadGolden("heads.golden");
  const std::vector<HeadCase> cases = HeadCases();
  EXPECT_EQ(golden.size(), cases.size());
  for (const HeadCase& c : cases) {
    std::string bytes;
    EncodeBlockHead(c.head, &bytes);
    ASSERT_TRUE(golden.count(c.name)) << c.name;
    EXPECT_EQ(HexOf(bytes), golden.at(c.name)) << c.name;
    const absl::StatusOr<BlockHead> head = DecodeBlockHead(BytesOf(golden.at(c.name)));
    ASSERT_TRUE(head.ok()) << c.name << ": " << head.status();
    ASSERT_EQ(head->pages.size(), c.head.pages.size()) << c.name;
    EXPECT_EQ(head->versions_checksum, c.head.versions_checksum) << c.name;
    for (size_t i = 0; i < head->pages.size(); ++i) {
      const PageInfo &page = head->pages[i], &stated = c.head.pages[i];
      EXPECT_EQ(page.summary, stated.summary) << c.name << " page " << i;
      EXPECT_EQ(page.lowest_version, stated.lowest_version) << c.name << " page " << i;
      EXPECT_EQ(page.highest_version, stated.highest_version) << c.name << " page " << i;
      EXPECT_EQ(page.versions_size, stated.versions_size) << c.name << " page " << i;
    }
  }
}

// As they were written before samples had versions.
TEST_F(Golden, HeadsOfFormat1AreReadAsEver) {
  const std::map<std::string, std::string> golden = ReadGolden("heads_1.golden");
  const std::vector<HeadCase> cases = HeadCases();
  EXPECT_EQ(golden.size(), cases.size());
  for (const HeadCase& c : cases) {
    ASSERT_TRUE(golden.count(c.name)) << c.name;
    const absl::StatusOr<BlockHead> head = DecodeBlockHead(BytesOf(golden.at(c.name)));
    ASSERT_TRUE(head.ok()) << c.name << ": " << head.status();
    ASSERT_EQ(head->pages.size(), c.head.pages.size()) << c.name;
    EXPECT_EQ(head->highest_version(), 0u) << c.name;
    EXPECT_EQ(head->payload_size(), head->pages_size()) << c.name;
    for (size_t i = 0; i < head->pages.size(); ++i) {
      EXPECT_EQ(WithoutDetails(head->pages[i].summary), WithoutDetails(c.head.pages[i].summary))
          << c.name << " page " << i;
    }
  }
}

// As they were written before summaries had details.
TEST_F(Golden, HeadsOfFormat2AreReadAsEver) {
  const std::map<std::string, std::string> golden = ReadGolden("heads_2.golden");
  const std::vector<HeadCase> cases = HeadCases();
  EXPECT_EQ(golden.size(), cases.size());
  for (const HeadCase& c : cases) {
    ASSERT_TRUE(golden.count(c.name)) << c.name;
    const absl::StatusOr<BlockHead> head = DecodeBlockHead(BytesOf(golden.at(c.name)));
    ASSERT_TRUE(head.ok()) << c.name << ": " << head.status();
    ASSERT_EQ(head->pages.size(), c.head.pages.size()) << c.name;
    EXPECT_EQ(head->highest_version(), c.head.highest_version()) << c.name;
    EXPECT_EQ(head->payload_size(), c.head.payload_size()) << c.name;
    for (size_t i = 0; i < head->pages.size(); ++i) {
      const Summary &read = head->pages[i].summary, &all = c.head.pages[i].summary;
      EXPECT_EQ(WithoutDetails(read), WithoutDetails(all)) << c.name << " page " << i;
      // What follows from the rest is right.
      if ((read.parts & kQualities) != 0) {
        EXPECT_EQ(read.first_usable, all.first_usable) << c.name << " page " << i;
        EXPECT_EQ(read.last_usable, all.last_usable) << c.name << " page " << i;
        EXPECT_EQ(read.worst, all.worst) << c.name << " page " << i;
      }
      if ((read.parts & kZeros) != 0) {
        EXPECT_EQ(read.zero_ns, all.zero_ns) << c.name << " page " << i;
      }
      if ((read.parts & kChanges) != 0) {
        EXPECT_EQ(read.changes, all.changes) << c.name << " page " << i;
      }
      if ((read.parts & kRepeats) != 0) {
        EXPECT_EQ(read.min_repeats, all.min_repeats) << c.name << " page " << i;
        EXPECT_EQ(read.max_repeats, all.max_repeats) << c.name << " page " << i;
      }
    }
  }
}

TEST_F(Golden, VersionsAreWrittenAndReadAsEver) {
  const std::map<std::string, std::string> golden = ReadGolden("versions.golden");
  const std::vector<VersionCase> cases = VersionCases();
  EXPECT_EQ(golden.size(), cases.size());
  std::set<char> forms;
  for (const VersionCase& c : cases) {
    const PageVersions written = Encoded(c);
    ASSERT_TRUE(golden.count(c.name)) << c.name;
    EXPECT_EQ(HexOf(written.column), golden.at(c.name)) << c.name;
    forms.insert(written.column[0]);
    std::vector<uint32_t> versions;
    const absl::Status read =
        DecodeVersions(written.lowest, written.highest, BytesOf(golden.at(c.name)), c.samples.times.data(),
                       c.samples.size(), OpenAtGolden, &versions);
    ASSERT_TRUE(read.ok()) << c.name << ": " << read;
    EXPECT_EQ(versions, c.versions) << c.name;
  }
  EXPECT_THAT(forms, testing::ElementsAre(1, 2, 3, 4));
}

// rollup.md's example as it was written before samples had versions.
TEST_F(Golden, ARollupOfFormat1IsReadAsEver) {
  const absl::StatusOr<Rollup> rollup =
      DecodeRollup(BytesOf("010101901c02000a00000401fb1294b0e60c6b020002010000000002010305f01200029898000000"
                           "02000100242401020451020851ac6249aa"));
  ASSERT_TRUE(rollup.ok()) << rollup.status();
  EXPECT_EQ(rollup->highest_version, 0u);
  ASSERT_EQ(rollup->levels.size(), 1u);
  EXPECT_EQ(rollup->levels[0].slots[0].sum.ToDouble(), 18);
}

// The same as it was written before summaries had details.
TEST_F(Golden, ARollupOfFormat2IsReadAsEver) {
  const absl::StatusOr<Rollup> rollup = DecodeRollup(
      BytesOf("02010104901c02000a00000401fb1294b0e60c6b020002010000000002010305f0120002989800000002000100"
              "24240102045102085133f29804"));
  ASSERT_TRUE(rollup.ok()) << rollup.status();
  EXPECT_EQ(rollup->highest_version, 4u);
  ASSERT_EQ(rollup->levels.size(), 1u);
  EXPECT_EQ(rollup->levels[0].slots[0].sum.ToDouble(), 18);
}

using Examples = std::map<std::string, std::string>;  // Name to bytes.

// key.md: tag 7 at 2026-11-30T03:00:00.25Z, sealed with number 42; the same before 1970, and in a long partition.
Examples KeyExamples() {
  const BlockId id{.partition = 2969, .tag = 7, .first_time = kStart + 250 * kMillisecond, .seal = 42};
  const BlockId before_1970{.partition = -1, .tag = 7, .first_time = -1, .seal = 42};
  const BlockId moved{
      .partition = kLongPartitionZero + 185, .tag = 7, .first_time = id.first_time, .seal = 43};
  return {{"head_key", HeadKey(id)},
          {"head_key_long", HeadKey(moved)},
          {"head_key_before_1970", HeadKey(before_1970)},
          {"pages_key", PagesKey(id)},
          {"rollup_key", RollupKey({.partition = id.partition, .tag = id.tag})}};
}

// rollup.md: the level of hours of 0, 18, 36, half an hour apart.
Examples RollupExamples() {
  const auto sample = [](int half_hours) {
    Samples samples;
    samples.Add(kStart + half_hours * 1800 * kNanosPerSecond, BitsOfFloat64(18 * half_hours));
    return samples;
  };
  Samples first_hour = sample(0);
  first_hour.Append(ValueType::kFloat64, sample(1).View());
  Rollup rollup;
  rollup.highest_version = 4;
  rollup.levels.push_back({kHourSlotNs,
                           {Summarize(ValueType::kFloat64, first_hour.View()),
                            Summarize(ValueType::kFloat64, sample(2).View())}});
  std::string bytes;
  EncodeRollup(rollup, &bytes);
  return {{"example", bytes}};
}

std::string ShortPageOf(ValueType type, const Samples& samples, EncodeHint hint) {
  uint8_t bytes[kShortPageBytesMax];
  const uint8_t* const end = EncodeShortPage(type, samples.View(), kStart, hint, bytes);
  return end == nullptr ? "" : std::string(reinterpret_cast<const char*>(bytes), end - bytes);
}

// short_page.md: page.md's samples, all Good; two of a clock; and sixteen of which the tenth second is missing.
Examples ShortPageExamples() {
  Samples good = ExamplePage();
  good.qualities.clear();
  Samples even;
  for (int64_t i = 1; i <= 2; ++i) even.Add(kStart + i * kNanosPerSecond, 7);
  Samples gap;
  for (int64_t i = 0; i < 17; ++i) {
    if (i != 9) gap.Add(kStart + i * kNanosPerSecond, 7);
  }
  return {{"example", ShortPageOf(ValueType::kFloat64, good, {.decimals = 1})},
          {"example_even", ShortPageOf(ValueType::kInt64, even, {})},
          {"example_with_a_gap", ShortPageOf(ValueType::kInt64, gap, {})}};
}

// Every page in this folder, with its examples as the codecs write them. A page that is not here fails the
// test, and so does one without an example.
TEST_F(Golden, TheExamplesOfTheSpecificationsAreWhatIsWritten) {
  const Examples pages = ReadGolden("pages.golden");
  const std::map<std::string, Examples> written = {
      {"block.md",
       {{"example", BytesOf(ReadGolden("heads.golden").at("example"))},
        {"versions_example", BytesOf(ReadGolden("versions.golden").at("example"))}}},
      {"key.md", KeyExamples()},
      {"page.md",
       {{"example", BytesOf(pages.at("example"))}, {"dense_example", BytesOf(pages.at("dense_example"))}}},
      {"rollup.md", RollupExamples()},
      {"short_page.md", ShortPageExamples()},
  };
  const std::vector<std::string> specifications = SpecificationsIn(kDirectory);
  EXPECT_EQ(specifications.size(), written.size());
  for (const std::string& page : specifications) {
    ASSERT_TRUE(written.count(page)) << page << " has no example that is checked";
    const absl::StatusOr<Examples> examples = ReadWorkedExamples(kDirectory + page);
    ASSERT_TRUE(examples.ok()) << examples.status();
    EXPECT_THAT(*examples, testing::Not(testing::IsEmpty())) << page;
    for (const auto& [name, bytes] : written.at(page)) {
      ASSERT_TRUE(examples->count(name)) << page << " has no " << name << ": " << HexOf(bytes);
      EXPECT_EQ(HexOf(examples->at(name)), HexOf(bytes)) << page << ", " << name;
    }
    EXPECT_EQ(examples->size(), written.at(page).size()) << page << " has an example that is not checked";
  }
}

TEST_F(Golden, TheExamplesOfTheSpecificationsAreRead) {
  const absl::StatusOr<Examples> keys = ReadWorkedExamples(std::string(kDirectory) + "key.md");
  ASSERT_TRUE(keys.ok()) << keys.status();
  const BlockId id{.partition = 2969, .tag = 7, .first_time = kStart + 250 * kMillisecond, .seal = 42};
  EXPECT_EQ(PartitionOf(id.first_time), id.partition);
  const absl::StatusOr<BlockId> head_id = ParseHeadKey(keys->at("head_key"));
  const absl::StatusOr<BlockId> old_id = ParseHeadKey(keys->at("head_key_before_1970"));
  const absl::StatusOr<BlockId> pages_id = ParsePagesKey(keys->at("pages_key"));
  const absl::StatusOr<RollupId> rollup_id = ParseRollupKey(keys->at("rollup_key"));
  const absl::StatusOr<BlockId> long_id = ParseHeadKey(keys->at("head_key_long"));
  ASSERT_TRUE(head_id.ok() && old_id.ok() && pages_id.ok() && rollup_id.ok() && long_id.ok());
  EXPECT_EQ(*head_id, id);
  EXPECT_EQ(long_id->partition, LongPartitionOf(id.first_time));
  EXPECT_EQ(*pages_id, id);
  EXPECT_EQ(old_id->first_time, -1);
  EXPECT_EQ(rollup_id->partition, id.partition);
  EXPECT_EQ(rollup_id->tag, id.tag);

  const absl::StatusOr<Examples> rollups = ReadWorkedExamples(std::string(kDirectory) + "rollup.md");
  ASSERT_TRUE(rollups.ok()) << rollups.status();
  const absl::StatusOr<Rollup> rollup = DecodeRollup(rollups->at("example"));
  ASSERT_TRUE(rollup.ok()) << rollup.status();
  ASSERT_EQ(rollup->levels.size(), 1u);
  ASSERT_EQ(rollup->levels[0].slots.size(), 2u);
  EXPECT_EQ(rollup->levels[0].slots[0].sum.ToDouble(), 18);
  EXPECT_EQ(rollup->levels[0].slots[1].sum.ToDouble(), 36);

  const absl::StatusOr<Examples> short_pages = ReadWorkedExamples(std::string(kDirectory) + "short_page.md");
  ASSERT_TRUE(short_pages.ok()) << short_pages.status();
  Samples samples;
  const absl::Status status =
      DecodeShortPage(ValueType::kFloat64, short_pages->at("example"), kStart, &samples);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(samples.times, ExamplePage().times);
  EXPECT_EQ(samples.values, ExamplePage().values);
}

}  // namespace
}  // namespace historian::format
