// File: storage/tags/id_ranges.h
//
// What a start reads for every tag, read on all processors.
#ifndef HISTORIAN_STORAGE_TAGS_ID_RANGES_H_
#define HISTORIAN_STORAGE_TAGS_ID_RANGES_H_

#include <algorithm>
#include <cstdint>
#include <thread>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "storage/model/tag.h"

namespace historian {

// Calls read(begin, end) for consecutive ranges [begin, end) of ids, on a thread each; together they cover
// all ids, those to `last` evenly. Returns the first range's error.
inline absl::Status ForEachIdRange(TagId last, absl::FunctionRef<absl::Status(uint64_t, uint64_t)> read) {
  constexpr uint64_t kWorthAThread = 10'000;
  const uint64_t threads =
      std::clamp<uint64_t>(last / kWorthAThread, 1, std::max(1u, std::thread::hardware_concurrency()));
  std::vector<absl::Status> results(threads);
  const auto begin_of = [&](uint64_t k) {
    return k == threads ? uint64_t{1} << 32 : k == 0 ? 0 : last * k / threads;
  };
  std::vector<std::thread> others;
  for (uint64_t k = 1; k < threads; ++k) {
    others.emplace_back([&, k] { results[k] = read(begin_of(k), begin_of(k + 1)); });
  }
  results[0] = read(begin_of(0), begin_of(1));
  for (std::thread& other : others) other.join();
  for (const absl::Status& result : results) {
    if (!result.ok()) return result;
  }
  return absl::OkStatus();
}

}  // namespace historian

#endif  // HISTORIAN_STORAGE_TAGS_ID_RANGES_H_
