#include "storage/model/samples.h"

#include <algorithm>

#include "storage/platform/simd.h"

namespace historian {

void Samples::AppendVersions(const SamplesView& from, size_t begin, size_t count) {
  const uint32_t* const first = from.versions == nullptr ? nullptr : from.versions + begin;
  const bool is_one =
      first == nullptr || std::all_of(first, first + count, [&](uint32_t v) { return v == *first; });
  const uint32_t one = first == nullptr ? from.version : *first;
  if (versions.empty()) {
    if (times.size() == count && is_one) version = one;
    if (is_one && one == version) return;
    versions.assign(times.size() - count, version);
  }
  if (is_one) {
    versions.resize(times.size(), one);
  } else {
    versions.insert(versions.end(), first, first + count);
  }
}

void Samples::Append(ValueType type, const SamplesView& from, size_t begin, size_t count) {
  if (count == 0) return;
  times.insert(times.end(), from.times + begin, from.times + begin + count);
  if (type == ValueType::kString) {
    for (size_t i = begin; i < begin + count; ++i) values.push_back(strings.Add(from.StringAt(i)));
  } else {
    values.insert(values.end(), from.values + begin, from.values + begin + count);
  }
  AppendVersions(from, begin, count);
  if (from.qualities == nullptr) {
    if (!qualities.empty()) qualities.resize(times.size(), kGood);
    return;
  }
  const Quality* first = from.qualities + begin;
  if (qualities.empty() && std::all_of(first, first + count, [](Quality q) { return q == kGood; })) return;
  qualities.resize(times.size() - count, kGood);
  qualities.insert(qualities.end(), first, first + count);
}

bool SameSample(ValueType type, const SamplesView& a, size_t i, const SamplesView& b, size_t j) {
  if (a.times[i] != b.times[j] || a.QualityAt(i) != b.QualityAt(j)) return false;
  return type == ValueType::kString ? a.StringAt(i) == b.StringAt(j) : a.values[i] == b.values[j];
}

HISTORIAN_SIMD bool IsStrictlyAscending(const Timestamp* times, size_t size) {
  uint64_t wrong = 0;
  for (size_t i = 1; i < size; ++i) wrong |= times[i - 1] >= times[i];
  return wrong == 0;
}

namespace {

// What comes in is mostly a few sorted runs one behind the other, so it merges runs: the fewer they are, the
// cheaper.
void MergeRuns(std::vector<Place>* places) {
  const auto earlier = [](const Place& a, const Place& b) { return a.time < b.time; };
  std::vector<size_t> runs = {0};  // Where each begins, and the end.
  for (size_t i = 1; i < places->size(); ++i) {
    if (earlier((*places)[i], (*places)[i - 1])) runs.push_back(i);
  }
  runs.push_back(places->size());
  std::vector<Place> merged(places->size());
  while (runs.size() > 2) {
    std::vector<size_t> left = {0};
    for (size_t r = 0; r + 1 < runs.size(); r += 2) {
      const auto begin = places->begin() + runs[r], middle = places->begin() + runs[r + 1];
      const auto end = places->begin() + (r + 2 < runs.size() ? runs[r + 2] : runs[r + 1]);
      std::merge(begin, middle, middle, end, merged.begin() + runs[r], earlier);
      left.push_back(end - places->begin());
    }
    places->swap(merged);
    runs = std::move(left);
  }
}

}  // namespace

std::vector<Place> PlacesByTime(const Timestamp* times, size_t size) {
  std::vector<Place> places(size);
  for (size_t i = 0; i < size; ++i) places[i] = {times[i], i};
  MergeRuns(&places);
  return places;
}

void AppendAsOf(ValueType type, const SamplesView& from, Version as_of, Samples* to) {
  if (as_of == kVersionNow) return to->Append(type, from);
  for (size_t begin = 0; begin < from.size;) {
    size_t end = begin;
    while (end < from.size && from.VersionAt(end) <= as_of) ++end;
    to->Append(type, from, begin, end - begin);
    begin = end + 1;
  }
}

Superseded SortAndKeepLast(ValueType type, Samples* samples) {
  Superseded superseded;
  const SamplesView from = samples->View();
  if (IsStrictlyAscending(from.times, from.size)) return superseded;
  const std::vector<Place> places = PlacesByTime(from.times, from.size);
  Samples sorted;
  sorted.Reserve(from.size);
  for (size_t k = 0; k < places.size(); ++k) {
    const size_t i = places[k].index;
    if (k + 1 < places.size() && places[k + 1].time == places[k].time) {
      ++(SameSample(type, from, i, from, places[k + 1].index) ? superseded.duplicates : superseded.replaced);
    } else {
      sorted.AddFrom(type, from, i);
    }
  }
  *samples = std::move(sorted);
  return superseded;
}

}  // namespace historian
