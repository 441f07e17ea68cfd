// File: tests/fuzz/driver.h
//
// Runs a fuzz target: as an ordinary test in every build, so that every build fuzzes a little, and under libFuzzer,
// which looks for inputs that reach new code, in the build of --config=fuzz (tools/fuzz). One source serves both: it
// defines LLVMFuzzerTestOneInput, and FuzzSeeds for inputs that mean something; fuzz_test (fuzz.bzl) builds it.
//
// As a test: first every file of the target's corpus (tests/fuzz/corpus), each a finding or an input that reaches code
// which no smaller one reaches. Then each seed as it is, and cut short at its lengths. Then, until the time is over, mutations
// of random files and seeds: bits and bytes changed, runs deleted, repeated, inserted or taken from another, integers
// replaced by extreme ones. A failing input ends the process from inside the target; the driver has then printed
// the file, or the seed and the round, and the input.
//
// Flags of the test: --seconds=N (default 2), --seed=N (default 1; printed), --corpus=DIRECTORY, and names of files to run
// instead, as libFuzzer does.
#ifndef HISTORIAN_TESTS_FUZZ_DRIVER_H_
#define HISTORIAN_TESTS_FUZZ_DRIVER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace historian::fuzz {

// Defined by the target: inputs to start from; at least one.
std::vector<std::string> FuzzSeeds();

}  // namespace historian::fuzz

#endif  // HISTORIAN_TESTS_FUZZ_DRIVER_H_
