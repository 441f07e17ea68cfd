#include "storage/model/nearest_name.h"

#include <algorithm>
#include <cctype>
#include <random>

#include "gtest/gtest.h"

namespace historian {
namespace {

TEST(EditDistance, CountsWhatToChange) {
  const struct {
    const char* a;
    const char* b;
    size_t distance;
  } kCases[] = {
      {"", "", 0},         {"import", "import", 0},     {"impotr", "import", 1},    {"imprt", "import", 1},
      {"a", "", 1},        {"PT101.PV", "pt101.pv", 0}, {"PT101PV", "PT101.PV", 1}, {"kitten", "sitting", 3},
      {"flaw", "lawn", 2}, {"abcd", "wxyz", 4},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(EditDistance(c.a, c.b, 9), c.distance) << c.a << " " << c.b;
    EXPECT_EQ(EditDistance(c.b, c.a, 9), c.distance) << c.a << " " << c.b;
    if (c.distance > 0) {
      EXPECT_EQ(EditDistance(c.a, c.b, c.distance - 1), c.distance) << c.a << " " << c.b;
    }
  }
}

// The whole table, without limit.
size_t ObviousDistance(const std::string& a, const std::string& b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) {
    for (size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

TEST(EditDistance, IsThatOfTheWholeTable) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const auto word = [&] {
    std::string text;
    for (uint64_t n = random() % 9; n > 0; --n) text.push_back(static_cast<char>('a' + random() % 3));
    return text;
  };
  for (int i = 0; i < 20'000; ++i) {
    const std::string a = word(), b = word();
    const size_t most = random() % 6;
    ASSERT_EQ(EditDistance(a, b, most), std::min(ObviousDistance(a, b), most + 1))
        << a << " " << b << " " << most;
  }
}

TEST(NearestNames, AreEquallyNearAndNearEnough) {
  const std::vector<std::string> known = {"get", "put", "plot", "import", "export", "aggregate"};
  EXPECT_EQ(NearestNames("impotr", known), std::vector<std::string>{"import"});
  EXPECT_EQ(NearestNames("gte", known), std::vector<std::string>{"get"});
  EXPECT_EQ(NearestNames("agregat", known), std::vector<std::string>{"aggregate"});
  EXPECT_EQ(NearestNames("ixport", known), (std::vector<std::string>{"import", "export"}));
  EXPECT_EQ(NearestNames("ixport", known, 1), std::vector<std::string>{"import"});
  EXPECT_TRUE(NearestNames("xyz", known).empty());
  EXPECT_TRUE(NearestNames("", known).empty());
  EXPECT_TRUE(NearestNames("get", {}).empty());
}

TEST(DidYouMean, NamesThem) {
  EXPECT_EQ(DidYouMean({}), "");
  EXPECT_EQ(DidYouMean({"a"}), "; did you mean a?");
  EXPECT_EQ(DidYouMean({"a", "b"}), "; did you mean a or b?");
  EXPECT_EQ(DidYouMean({"a", "b", "c"}), "; did you mean a, b or c?");
}

}  // namespace
}  // namespace historian
