// File: tests/fuzz/driver.h
//
// Runs a libFuzzer target without libFuzzer, so that every build fuzzes a little: a fuzz target links this
// library for its main() and is then an ordinary test.
//
// The target defines LLVMFuzzerTestOneInput, and FuzzSeeds for inputs that mean something. Strategy: each
// seed as it is and cut short at every length; then, until the time is over, mutations of random seeds: bits
// and bytes changed, runs deleted, repeated, inserted or taken from another seed, integers replaced by
// extreme ones. A failing input ends the process from inside the target; the driver then has already printed
// the seed and the round.
//
// Flags of the program: --seconds=N (default 2), --seed=N (default 1; printed), and names of files to run
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
