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

// Returns all kinds. The name of each says what it is; more is beside its maker.
const std::vector<PlantKind>& PlantKinds();

// Returns the kind of that name, which must exist.
const PlantKind& PlantKindNamed(const char* name);

}  // namespace historian::format

#endif  // HISTORIAN_STORAGE_FORMAT_PLANT_SAMPLES_H_
