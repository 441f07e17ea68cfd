#include "storage/tags/byte_shelf.h"

#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace historian {
namespace {

TEST(ByteShelfTest, WhatWasPutStaysWhereItIs) {
  ByteShelf shelf;
  std::vector<std::string> texts;
  std::vector<const char*> puts;
  for (const size_t size : {0, 1, 127, 128, 16'383, 16'384, 70'000, 3, 8'192, 8'193, 5}) {
    for (int i = 0; i < 20; ++i) {
      texts.push_back(std::string(size, static_cast<char>('a' + i)));
      puts.push_back(shelf.Put(texts.back()));
    }
  }
  for (size_t i = 0; i < texts.size(); ++i) EXPECT_EQ(ByteShelf::At(puts[i]), texts[i]);
}

class TagShelfTest : public testing::Test {
 protected:
  void Put(TagId id, const std::string& text) {
    if (places_.size() < id) places_.resize(id);
    if (texts_.size() < id) texts_.resize(id);
    texts_[id - 1] = text;
    shelf_.Put(id, text);
  }
  size_t NeededBytes() const {
    size_t bytes = 0;
    for (const std::string& text : texts_) bytes += text.size() + 8;
    return bytes;
  }

  std::vector<const char*> places_;
  std::vector<std::string> texts_;
  TagShelf shelf_{&places_};
};

TEST_F(TagShelfTest, HasWhatWasPutLastAndWastesNoMoreThanThat) {
  for (const uint64_t seed : {1, 2, 3, 4, 5, 6, 7, 8}) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < 20'000; ++i) {
      const TagId id = static_cast<TagId>(1 + random() % 500);
      const size_t size =
          random() % 100 == 0 ? random() % 100'000 : random() % (random() % 2 == 0 ? 20 : 3'000);
      Put(id, std::string(size, static_cast<char>('a' + random() % 26)));
    }
    for (size_t i = 0; i < texts_.size(); ++i) {
      if (places_[i] != nullptr) {
        ASSERT_EQ(TagShelf::At(places_[i]), texts_[i]) << "seed " << seed;
      }
    }
    EXPECT_LE(shelf_.memory_bytes(), 5 * NeededBytes() / 2 + (size_t{256} << 10)) << "seed " << seed;
  }
}

TEST_F(TagShelfTest, ATagThatChangesAllTheTimeLeavesNothingBehind) {
  for (TagId id = 1; id <= 100; ++id) {
    for (int i = 0; i < 1'000; ++i) Put(id, std::string(1'000, 'x'));
  }
  EXPECT_LE(shelf_.memory_bytes(), size_t{512} << 10);
}

}  // namespace
}  // namespace historian
