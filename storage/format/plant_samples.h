// File: storage/format/plant_samples.h
//
// Runs of samples as plants make them, one of each character, for tests and benchmarks. The same name, size
// and seed give the same samples on every machine (integers and exact divisions only).
#ifndef HISTORIAN_STORAGE_FORMAT_PLANT_SAMPLES_H_
#define HISTORIAN_STORAGE_FORMAT_PLANT_SAMPLES_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "storage/model/samples.h"

namespace historian::format {

struct PlantKind {
  const char* name;
  ValueType type;
  Samples (*make)(size_t size, uint64_t seed);
};

// All kinds; what each is stands in its name and beside its maker.
const std::vector<PlantKind>& PlantKinds();

// The kind of that name, which must be known.
const PlantKind& PlantKindNamed(const char* name);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_PLANT_SAMPLES_H_
