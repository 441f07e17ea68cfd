// The driver of --config=fuzz, where libFuzzer brings main(): --write-seeds=DIRECTORY writes each seed as a file
// and ends.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "tests/fuzz/driver.h"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr char kFlag[] = "--write-seeds=";
  for (int i = 1; i < *argc; ++i) {
    if (std::strncmp((*argv)[i], kFlag, std::strlen(kFlag)) != 0) continue;
    const std::string directory = (*argv)[i] + std::strlen(kFlag);
    int number = 0;
    for (const std::string& seed : historian::fuzz::FuzzSeeds()) {
      std::ofstream file(directory + "/seed-" + std::to_string(++number), std::ios::binary);
      if (!file.write(seed.data(), static_cast<std::streamsize>(seed.size()))) {
        std::fprintf(stderr, "fuzz: cannot write into %s\n", directory.c_str());
        std::exit(1);
      }
    }
    std::exit(0);
  }
  return 0;
}
