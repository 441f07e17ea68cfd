#include "storage/format/version_column.h"

#include <algorithm>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace historian::format {
namespace {

constexpr Timestamp kStart = 1'700'000'000 * kNanosPerSecond;
constexpr Timestamp kMinute = 60 * kNanosPerSecond;

// Versions 1, 2, 3 ... that closed at ascending times.
struct Closed {
  std::vector<Timestamp> times;

  void operator()(const Timestamp* at, size_t size, uint32_t* versions) const {
    for (size_t i = 0; i < size; ++i) {
      versions[i] =
          static_cast<uint32_t>(std::upper_bound(times.begin(), times.end(), at[i]) - times.begin()) + 1;
    }
  }
};

Closed EachTenMinutes(size_t count) {
  Closed closed;
  for (size_t i = 0; i < count; ++i)
    closed.times.push_back(kStart + static_cast<Timestamp>(i) * 10 * kMinute);
  return closed;
}

// Encodes, decodes, and returns the size of the column.
size_t RoundTrip(const Samples& samples, Density density, const Closed& then, const Closed& later) {
  const PageVersions page = EncodeVersions(samples.View(), density, then);
  std::vector<uint32_t> versions;
  const absl::Status status = DecodeVersions(page.lowest, page.highest, page.column, samples.times.data(),
                                             samples.size(), later, &versions);
  EXPECT_TRUE(status.ok()) << status;
  for (size_t i = 0; i < samples.size(); ++i) {
    EXPECT_EQ(versions[i], samples.View().VersionAt(i)) << i;
    if (versions[i] != samples.View().VersionAt(i)) break;
  }
  return page.column.size();
}

// What is measured at `times` and arrives after the delay.
Samples Arrived(const std::vector<Timestamp>& times, const Closed& closed, Timestamp delay) {
  Samples samples;
  for (const Timestamp time : times) {
    const Timestamp arrived = time + delay;
    uint32_t version;
    closed(&arrived, 1, &version);
    Samples one;
    one.version = version;
    one.Add(time, 0);
    samples.AddFrom(ValueType::kInt64, one.View(), 0);
  }
  return samples;
}

std::vector<Timestamp> Times(size_t count, Timestamp step) {
  std::vector<Timestamp> times;
  for (size_t i = 0; i < count; ++i) times.push_back(kStart + static_cast<Timestamp>(i) * step);
  return times;
}

TEST(VersionColumnTest, OneVersionTakesNoColumn) {
  Samples samples;
  samples.version = 7;
  for (const Timestamp time : Times(100, kMinute)) samples.Add(time, 1);
  const PageVersions page = EncodeVersions(samples.View(), Density::kDense, EachTenMinutes(20));
  EXPECT_EQ(page.lowest, 7u);
  EXPECT_EQ(page.highest, 7u);
  EXPECT_TRUE(page.column.empty());
}

TEST(VersionColumnTest, WhatArrivesAtOnceTakesAByteAtAnyRate) {
  const Closed closed = EachTenMinutes(2000);
  for (const Timestamp step : {kMinute / 60, kMinute, 60 * kMinute}) {
    EXPECT_LE(RoundTrip(Arrived(Times(1024, step), closed, 0), Density::kDense, closed, closed), 1u) << step;
  }
}

TEST(VersionColumnTest, ADelayOfSecondsTakesLittle) {
  const Closed closed = EachTenMinutes(2000);
  EXPECT_LE(
      RoundTrip(Arrived(Times(1024, kMinute), closed, 2 * kNanosPerSecond), Density::kDense, closed, closed),
      64u);
}

TEST(VersionColumnTest, SamplesLateAtRandomTakeLittle) {
  const Closed closed = EachTenMinutes(2000);
  std::mt19937_64 random(1);
  Samples samples;
  for (const Timestamp time : Times(1024, kMinute / 60)) {
    samples.AddFrom(
        ValueType::kInt64,
        Arrived({time}, closed,
                random() % 20 == 0 ? static_cast<Timestamp>(random() % 1800) * kNanosPerSecond : 0)
            .View(),
        0);
  }
  const size_t size = RoundTrip(samples, Density::kDense, closed, closed);
  EXPECT_LE(size, 1024 * 0.09);
}

TEST(VersionColumnTest, DoesNotDependOnWhatWasStillOpen) {
  // Samples ahead of the last closing, as a clock in front of the server's makes them.
  const Closed all = EachTenMinutes(100);
  std::mt19937_64 random(2);
  for (int round = 0; round < 200; ++round) {
    Closed then = all;
    then.times.resize(1 + random() % 99);
    const uint32_t open = static_cast<uint32_t>(then.times.size()) + 1;
    Samples samples;
    Timestamp time = kStart;
    for (int i = 0; i < 300; ++i) {
      time += static_cast<Timestamp>(random() % (20 * 60)) * kNanosPerSecond;
      Samples one;
      one.version = static_cast<uint32_t>(random() % (open + 1));
      one.Add(time, 0);
      samples.AddFrom(ValueType::kInt64, one.View(), 0);
    }
    RoundTrip(samples, Density::kDense, then, then);
    RoundTrip(samples, Density::kDense, then, all);
    RoundTrip(samples, Density::kFast, then, all);
  }
}

TEST(VersionColumnTest, HoldsTheHighestVersions) {
  Samples samples;
  samples.versions = {0, static_cast<uint32_t>(kVersionMax), 1};
  for (const Timestamp time : Times(3, kMinute)) {
    samples.times.push_back(time);
    samples.values.push_back(0);
  }
  RoundTrip(samples, Density::kDense, Closed(), Closed());
  RoundTrip(samples, Density::kFast, Closed(), Closed());
}

TEST(VersionColumnTest, DamageIsAnErrorOrSomeVersionsWithinTheBounds) {
  const Closed closed = EachTenMinutes(100);
  const Samples samples = Arrived(Times(200, kMinute), closed, 30 * kMinute);
  for (const Density density : {Density::kFast, Density::kDense}) {
    const PageVersions page = EncodeVersions(samples.View(), density, closed);
    std::vector<uint32_t> versions;
    std::mt19937_64 random(3);
    for (int round = 0; round < 5000; ++round) {
      std::string column = page.column;
      column[random() % column.size()] ^= static_cast<char>(1 << random() % 8);
      if (round % 3 == 0) column.resize(random() % (column.size() + 1));
      if (!DecodeVersions(page.lowest, page.highest, column, samples.times.data(), samples.size(), closed,
                          &versions)
               .ok()) {
        continue;
      }
      ASSERT_EQ(versions.size(), samples.size());
      for (const uint32_t version : versions) ASSERT_TRUE(version >= page.lowest && version <= page.highest);
    }
    EXPECT_FALSE(
        DecodeVersions(page.lowest, page.highest, "", samples.times.data(), samples.size(), closed, &versions)
            .ok());
    EXPECT_FALSE(
        DecodeVersions(5, 5, page.column, samples.times.data(), samples.size(), closed, &versions).ok());
  }
}

}  // namespace
}  // namespace historian::format
