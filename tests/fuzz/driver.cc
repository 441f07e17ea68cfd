#include "tests/fuzz/driver.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <utility>

namespace historian::fuzz {
namespace {

using Random = std::mt19937_64;

constexpr size_t kInputBytesMax = 1 << 20;

// What is being run, for the signal handler.
uint64_t current_seed = 0;
uint64_t current_round = 0;
const std::string* current_input = nullptr;
const std::string* current_file = nullptr;  // Of the corpus, while its files are run.

// Tells which input it was; only calls what a signal handler may call.
void Tell(int signal) {
  char text[160];
  const int size = std::snprintf(
      text, sizeof(text), "fuzz: failed, seed %llu, round %llu, input of %zu bytes:\n",
      static_cast<unsigned long long>(current_seed), static_cast<unsigned long long>(current_round),
      current_input == nullptr ? 0 : current_input->size());
  ssize_t written = 0;
  if (current_file != nullptr) {
    written += write(STDERR_FILENO, current_file->data(), current_file->size());
    written += write(STDERR_FILENO, "\n", 1);
  }
  written += write(STDERR_FILENO, text, static_cast<size_t>(size));
  for (size_t i = 0; current_input != nullptr && i < std::min<size_t>(current_input->size(), 4096); ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    const uint8_t byte = static_cast<uint8_t>((*current_input)[i]);
    const char hex[2] = {kDigits[byte >> 4], kDigits[byte & 15]};
    written += write(STDERR_FILENO, hex, 2);
  }
  written += write(STDERR_FILENO, "\n", 1);
  (void)written;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void Run(const std::string& input) {
  current_input = &input;
  // A copy of exactly the size, so that a sanitizer sees every byte read beyond it.
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[input.size()]);
  std::copy(input.begin(), input.end(), copy.get());
  LLVMFuzzerTestOneInput(copy.get(), input.size());
  current_input = nullptr;
}

void Mutate(const std::vector<std::string>& seeds, Random& random, std::string* input) {
  const auto below = [&random](size_t n) { return n == 0 ? 0 : static_cast<size_t>(random() % n); };
  const size_t at = below(input->size() + 1);
  switch (random() % 8) {
    case 0:
      if (at < input->size()) (*input)[at] = static_cast<char>((*input)[at] ^ (1 << below(8)));
      return;
    case 1:
      if (at < input->size()) (*input)[at] = static_cast<char>(random());
      return;
    case 2:
      input->erase(at, 1 + below(8));
      return;
    case 3:
      input->insert(at, input->substr(below(input->size() + 1), 1 + below(16)));
      return;
    case 4:
      input->insert(at, 1 + below(4), static_cast<char>(random()));
      return;
    case 5: {  // An integer of one to eight bytes becomes extreme.
      constexpr uint64_t kExtremes[] = {
          0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, ~uint64_t{0} >> 1, ~uint64_t{0}};
      const uint64_t v = kExtremes[below(std::size(kExtremes))];
      const size_t size = std::min(input->size() - at, size_t{1} << below(4));
      std::memcpy(input->data() + at, &v, size);
      return;
    }
    case 6: {
      const std::string& other = seeds[below(seeds.size())];
      const size_t from = below(other.size() + 1);
      input->replace(at, below(32), other, from, 1 + below(32));
      return;
    }
    default:
      input->resize(at);
      return;
  }
}

std::optional<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "fuzz: cannot read %s\n", path.c_str());
    return std::nullopt;
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// Names of the files of a corpus, in order; none when there is no such directory, which is a corpus without a file.
std::vector<std::string> FilesOf(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

int Main(int argc, char** argv) {
  double seconds = 2;
  std::string corpus;
  bool ran_files = false;
  current_seed = 1;
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) std::signal(signal, Tell);
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.rfind("--seconds=", 0) == 0) {
      seconds = std::strtod(argument.c_str() + 10, nullptr);
    } else if (argument.rfind("--seed=", 0) == 0) {
      current_seed = std::strtoull(argument.c_str() + 7, nullptr, 10);
    } else if (argument.rfind("--corpus=", 0) == 0) {
      corpus = argument.substr(9);
    } else {
      const std::optional<std::string> input = ReadFile(argument);
      if (!input.has_value()) return 1;
      Run(*input);
      ran_files = true;
    }
  }
  if (ran_files) return 0;

  std::printf("fuzz: seed %llu, %g s\n", static_cast<unsigned long long>(current_seed), seconds);
  std::fflush(stdout);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  std::vector<std::string> seeds;
  const std::vector<std::string> files = FilesOf(corpus);
  for (const std::string& file : files) {
    const std::optional<std::string> input = ReadFile(file);
    if (!input.has_value()) return 1;
    current_file = &file;
    Run(*input);
    seeds.push_back(*input);
  }
  current_file = nullptr;
  std::printf("fuzz: %zu files of the corpus\n", files.size());
  std::fflush(stdout);
  const size_t of_corpus = seeds.size();
  for (std::string& seed : FuzzSeeds()) seeds.push_back(std::move(seed));
  for (size_t i = of_corpus; i < seeds.size(); ++i) Run(seeds[i]);
  // As far as the time goes: half of it is for mutations.
  const auto half = std::chrono::steady_clock::now() + (end - std::chrono::steady_clock::now()) / 2;
  for (size_t i = of_corpus; i < seeds.size(); ++i) {
    for (size_t size = 0; size < std::min<size_t>(seeds[i].size(), 2000); ++size) {
      if (std::chrono::steady_clock::now() > half) break;
      Run(seeds[i].substr(0, size));
    }
  }
  Random random(current_seed);
  while (std::chrono::steady_clock::now() < end) {
    std::string input = seeds[random() % seeds.size()];
    for (size_t changes = 1 + random() % 6; changes > 0; --changes) Mutate(seeds, random, &input);
    if (input.size() > kInputBytesMax) input.resize(kInputBytesMax);
    ++current_round;
    Run(input);
  }
  std::printf("fuzz: %llu rounds\n", static_cast<unsigned long long>(current_round));
  return 0;
}

}  // namespace
}  // namespace historian::fuzz

int main(int argc, char** argv) { return historian::fuzz::Main(argc, argv); }
