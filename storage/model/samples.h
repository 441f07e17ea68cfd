// File: storage/model/samples.h
//
// A run of samples of one tag, in columns. `Samples` owns its columns; `SamplesView` borrows them.
//
// A sample is a timestamp, a value and a quality. A Bad sample has a value too: it is kept bit for bit and
// takes part in no aggregate. What the archive keeps of it, a statement, belongs to a version as well.
#ifndef HISTORIAN_STORAGE_MODEL_SAMPLES_H_
#define HISTORIAN_STORAGE_MODEL_SAMPLES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "storage/model/check.h"
#include "storage/model/data_version.h"
#include "storage/model/quality.h"
#include "storage/model/timestamp.h"
#include "storage/model/value.h"

namespace historian {

// Strings one after another in one buffer; never removed, so an index stays valid.
class StringColumn {
 public:
  StringColumn() = default;
  StringColumn(const StringColumn&) = default;
  StringColumn& operator=(const StringColumn&) = default;
  StringColumn(StringColumn&&) = default;
  // What was here is given back. A std::string to which a short one is moved would keep its memory.
  StringColumn& operator=(StringColumn&& other) noexcept {
    std::string bytes = std::move(other.bytes_);
    bytes_.swap(bytes);
    ends_ = std::move(other.ends_);
    return *this;
  }

  size_t size() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }
  size_t TextBytes() const { return bytes_.size(); }
  // Bytes held, capacity included.
  size_t MemoryBytes() const { return bytes_.capacity() + ends_.capacity() * sizeof(ends_[0]); }

  // Adds a string and returns its index.
  uint64_t Add(absl::string_view s) {
    bytes_.append(s.data(), s.size());
    ends_.push_back(bytes_.size());
    return ends_.size() - 1;
  }
  absl::string_view operator[](uint64_t index) const {
    HISTORIAN_CHECK(index < ends_.size());
    const size_t begin = index == 0 ? 0 : ends_[index - 1];
    return absl::string_view(bytes_).substr(begin, ends_[index] - begin);
  }
  void Clear() {
    bytes_.clear();
    ends_.clear();
  }

 private:
  std::string bytes_;
  std::vector<size_t> ends_;
};

// Borrowed columns of `size` samples. For strings, values[i] indexes *strings; several samples may share one.
struct SamplesView {
  const Timestamp* times = nullptr;
  const ValueBits* values = nullptr;
  const Quality* qualities = nullptr;  // Null: all Good.
  const StringColumn* strings = nullptr;
  size_t size = 0;
  const uint32_t* versions = nullptr;  // Null: all in `version`.
  uint32_t version = 0;

  Quality QualityAt(size_t i) const { return qualities == nullptr ? kGood : qualities[i]; }
  uint32_t VersionAt(size_t i) const { return versions == nullptr ? version : versions[i]; }
  absl::string_view StringAt(size_t i) const { return (*strings)[values[i]]; }
  SamplesView Slice(size_t begin, size_t count) const {
    return {times + begin, values + begin, qualities == nullptr ? nullptr : qualities + begin,
            strings,       count,          versions == nullptr ? nullptr : versions + begin,
            version};
  }
};

class Samples {
 public:
  std::vector<Timestamp> times;
  std::vector<ValueBits> values;
  std::vector<Quality> qualities;  // Empty: all Good. Else as long as times.
  StringColumn strings;            // Only for ValueType::kString.
  // The versions in which they were stated; 0 where nobody asked or knows.
  std::vector<uint32_t> versions;  // Empty: all in `version`. Else as long as times.
  uint32_t version = 0;

  size_t size() const { return times.size(); }
  bool empty() const { return times.empty(); }
  size_t MemoryBytes() const {
    return times.capacity() * 8 + values.capacity() * 8 + qualities.capacity() * 4 + versions.capacity() * 4 +
           strings.MemoryBytes();
  }

  SamplesView View() const {
    return {times.data(), values.data(), qualities.empty() ? nullptr : qualities.data(),
            &strings,     times.size(),  versions.empty() ? nullptr : versions.data(),
            version};
  }

  // In `version`.
  void Add(Timestamp time, ValueBits value, Quality quality = kGood) {
    times.push_back(time);
    values.push_back(value);
    AddQuality(quality);
    if (!versions.empty()) versions.push_back(version);
  }
  void AddString(Timestamp time, absl::string_view value, Quality quality = kGood) {
    Add(time, strings.Add(value), quality);
  }

  // Appends sample i of `from`, as Append does; quick.
  void AddFrom(ValueType type, const SamplesView& from, size_t i) {
    if (type == ValueType::kString) {
      AddString(from.times[i], from.StringAt(i), from.QualityAt(i));
    } else {
      Add(from.times[i], from.values[i], from.QualityAt(i));
    }
    SetLastVersion(from.VersionAt(i));
  }
  // Makes room for `size` samples.
  void Reserve(size_t size) {
    times.reserve(size);
    values.reserve(size);
  }

  // Appends samples [begin, begin + count) of `from`; strings are copied when `type` is kString.
  void Append(ValueType type, const SamplesView& from, size_t begin, size_t count);
  void Append(ValueType type, const SamplesView& from) { Append(type, from, 0, from.size); }

  void Clear() {
    times.clear();
    values.clear();
    qualities.clear();
    strings.Clear();
    versions.clear();
    version = 0;
  }

 private:
  // Called when times already has the new sample.
  void AddQuality(Quality quality) {
    if (quality == kGood && qualities.empty()) return;
    qualities.resize(times.size() - 1, kGood);
    qualities.push_back(quality);
  }
  // Of the sample added last.
  void SetLastVersion(uint32_t last) {
    if (!versions.empty()) {
      versions.back() = last;
    } else if (times.size() == 1) {
      version = last;
    } else if (last != version) {
      versions.assign(times.size(), version);
      versions.back() = last;
    }
  }
  // Of the last `count` samples, which are those of `from` at [begin].
  void AppendVersions(const SamplesView& from, size_t begin, size_t count);
};

// True if time, quality and value are equal: values bit for bit, strings byte for byte. The version does not matter.
bool SameSample(ValueType type, const SamplesView& a, size_t i, const SamplesView& b, size_t j);

// Whether times rise strictly.
bool IsStrictlyAscending(const Timestamp* times, size_t size);

// A sample's time and its index.
struct Place {
  Timestamp time;
  size_t index;
};
// Returns the places of all samples in order of their times; samples of one time stay in their order.
std::vector<Place> PlacesByTime(const Timestamp* times, size_t size);

// Appends those of `from` that were stated by the version as_of; with kVersionNow, all.
void AppendAsOf(ValueType type, const SamplesView& from, Version as_of, Samples* to);

// How many samples SortAndKeepLast dropped.
struct Superseded {
  size_t duplicates = 0;  // The next sample of the same time was equal.
  size_t replaced = 0;    // The next sample of the same time was another one.
};
// Sorts by time; of several samples with one time only the last added stays.
Superseded SortAndKeepLast(ValueType type, Samples* samples);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_SAMPLES_H_
