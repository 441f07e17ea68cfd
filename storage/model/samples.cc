#include "storage/model/samples.h"

#include <algorithm>
#include <numeric>

namespace historian {

void Samples::Append(ValueType type, const SamplesView& from, size_t begin, size_t count) {
  times.insert(times.end(), from.times + begin, from.times + begin + count);
  if (type == ValueType::kString) {
    for (size_t i = begin; i < begin + count; ++i) values.push_back(strings.Add(from.StringAt(i)));
  } else {
    values.insert(values.end(), from.values + begin, from.values + begin + count);
  }
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

bool IsStrictlyAscending(const Timestamp* times, size_t size) {
  bool ascending = true;
  for (size_t i = 1; i < size; ++i) ascending &= times[i - 1] < times[i];
  return ascending;
}

Superseded SortAndKeepLast(ValueType type, Samples* samples) {
  Superseded superseded;
  const SamplesView from = samples->View();
  if (IsStrictlyAscending(from.times, from.size)) return superseded;
  std::vector<size_t> order(from.size);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return from.times[a] < from.times[b]; });
  Samples sorted;
  for (size_t k = 0; k < order.size(); ++k) {
    const size_t i = order[k];
    if (k + 1 < order.size() && from.times[order[k + 1]] == from.times[i]) {
      ++(SameSample(type, from, i, from, order[k + 1]) ? superseded.duplicates : superseded.replaced);
      continue;
    }
    sorted.Append(type, from, i, 1);
  }
  *samples = std::move(sorted);
  return superseded;
}

}  // namespace historian
