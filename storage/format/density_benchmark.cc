// How dense columns of numbers become, and how fast.
//
//   bazel run -c opt //storage/format:density_benchmark -- [--join] FILE...
//
// Each FILE has columns of decimals, separated by commas, semicolons or blanks; a first line without numbers
// names them. Columns without numbers (times, texts) are passed over, and so are lines whose cell is none.
// With --join all files are one table, one after another. Without files: plant_samples.h.
//
// For each column, bytes a value: as one Zstandard frame of level 3 of the doubles, the whole column at once;
// in pages of kPageSamples, fast and dense; what encodings the dense pages have. Nanoseconds a value: to
// encode and to decode. The last line is all columns together. Everything is decoded and compared.
#include <zstd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "storage/format/plant_samples.h"
#include "storage/format/value_column.h"
#include "storage/model/check.h"

namespace historian::format {
namespace {

constexpr size_t kPageValues = 1024;
constexpr size_t kPlantValues = 64 * kPageValues;

struct Column {
  std::string name;
  ValueType type = ValueType::kFloat64;
  std::vector<ValueBits> values;
};

void ReadTable(const std::string& file, std::vector<Column>* columns) {
  std::ifstream in(file);
  if (!in.good()) {
    std::fprintf(stderr, "cannot read %s\n", file.c_str());
    std::exit(1);
  }
  bool is_first = true;
  for (std::string line; std::getline(in, line); is_first = false) {
    const char separator = line.find(';') != std::string::npos   ? ';'
                           : line.find(',') != std::string::npos ? ','
                                                                 : 0;
    const std::vector<std::string> cells = separator != 0
                                               ? std::vector<std::string>(absl::StrSplit(line, separator))
                                               : std::vector<std::string>(absl::StrSplit(
                                                     line, absl::ByAnyChar(" \t\r"), absl::SkipWhitespace()));
    for (size_t i = 0; i < cells.size(); ++i) {
      if (columns->size() <= i) columns->push_back({absl::StrCat("column ", i + 1), ValueType::kFloat64, {}});
      double v;
      if (absl::SimpleAtod(cells[i], &v)) {
        (*columns)[i].values.push_back(BitsOfFloat64(v));
      } else if (is_first) {
        (*columns)[i].name = cells[i];
      }
    }
  }
}

struct Result {
  std::string bytes;
  std::vector<size_t> sizes;
  double encode_ns = 0;
  double decode_ns = 0;
};

template <typename Work>
double NanosOf(Work work) {
  double best = 0;
  for (int round = 0; round < 3; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - begin;
    if (round == 0 || elapsed.count() < best) best = elapsed.count();
  }
  return best;
}

Result Measure(const Column& column, Density density) {
  const std::vector<ValueBits>& v = column.values;
  const auto page_size = [&](size_t begin) { return std::min(kPageValues, v.size() - begin); };
  Result result;
  std::vector<uint8_t> page(ValueColumnBytesMax(kPageValues));
  result.encode_ns = NanosOf([&] {
    result.bytes.clear();
    result.sizes.clear();
    EncodeHint hint;
    for (size_t begin = 0; begin < v.size(); begin += kPageValues) {
      const uint8_t* end =
          EncodeValues(column.type, v.data() + begin, page_size(begin), &hint, density, page.data());
      result.sizes.push_back(static_cast<size_t>(end - page.data()));
      result.bytes.append(reinterpret_cast<const char*>(page.data()), result.sizes.back());
    }
  });
  std::vector<ValueBits> decoded(v.size());
  result.decode_ns = NanosOf([&] {
    size_t at = 0;
    for (size_t i = 0; i < result.sizes.size(); at += result.sizes[i++]) {
      ByteReader in(absl::string_view(result.bytes).substr(at, result.sizes[i]));
      const size_t begin = i * kPageValues;
      HISTORIAN_CHECK(DecodeValues(column.type, &in, page_size(begin), decoded.data() + begin).ok());
    }
  });
  HISTORIAN_CHECK(decoded == v);
  return result;
}

// Of the doubles (of other types, the bits) in one frame.
size_t ZstdBytes(const Column& column) {
  const size_t size = column.values.size() * sizeof(ValueBits);
  std::string out(ZSTD_compressBound(size), '\0');
  return ZSTD_compress(out.data(), out.size(), column.values.data(), size, 3);
}

// How many pages have which encoding, by the number that page.md gives it.
std::string EncodingsOf(const Result& result) {
  std::map<int, int> counts;
  size_t at = 0;
  for (const size_t size : result.sizes) {
    ++counts[static_cast<uint8_t>(result.bytes[at]) & 15];
    at += size;
  }
  std::string text;
  for (const auto& [encoding, count] : counts)
    absl::StrAppend(&text, text.empty() ? "" : " ", encoding, "x", count);
  return text;
}

struct Totals {
  size_t values = 0;
  size_t zstd = 0;
  size_t fast = 0;
  size_t dense = 0;
};

void Print(const std::string& name, const Totals& t, const std::string& rest) {
  const double n = static_cast<double>(t.values);
  const auto each = [n](size_t bytes) { return static_cast<double>(bytes) / n; };
  absl::PrintF("%-36.36s %9d %7.3f %7.3f %7.3f %6.1f %%  %s\n", name, t.values, each(t.zstd), each(t.fast),
               each(t.dense), 100 * static_cast<double>(t.dense) / static_cast<double>(t.zstd), rest);
}

void Report(const std::vector<Column>& columns) {
  absl::PrintF("%-36s %9s %7s %7s %7s %8s  %s\n", "column", "values", "zstd -3", "fast", "dense", "of zstd",
               "encode, decode ns fast | dense; encodings dense");
  Totals all;
  for (const Column& column : columns) {
    if (column.values.size() < 2) continue;
    const Result fast = Measure(column, Density::kFast);
    const Result dense = Measure(column, Density::kDense);
    const Totals t{column.values.size(), ZstdBytes(column), fast.bytes.size(), dense.bytes.size()};
    const double n = static_cast<double>(t.values);
    Print(column.name, t,
          absl::StrFormat("%5.1f %5.2f | %5.1f %5.2f; %s", fast.encode_ns / n, fast.decode_ns / n,
                          dense.encode_ns / n, dense.decode_ns / n, EncodingsOf(dense)));
    all.values += t.values;
    all.zstd += t.zstd;
    all.fast += t.fast;
    all.dense += t.dense;
  }
  Print("all", all, "");
}

void Main(int argc, char** argv) {
  std::vector<Column> columns;
  bool join = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--join") {
      join = true;
      continue;
    }
    std::vector<Column> table;
    ReadTable(argument, &table);
    for (size_t k = 0; k < table.size(); ++k) {
      if (join && k < columns.size()) {
        columns[k].values.insert(columns[k].values.end(), table[k].values.begin(), table[k].values.end());
        continue;
      }
      if (!join) table[k].name = absl::StrCat(argument.substr(argument.rfind('/') + 1), " ", table[k].name);
      columns.push_back(std::move(table[k]));
    }
  }
  if (columns.empty()) {
    for (const PlantKind& kind : PlantKinds()) {
      if (kind.type == ValueType::kString) continue;
      columns.push_back({kind.name, kind.type, kind.make(kPlantValues, 1).values});
    }
  }
  Report(columns);
}

}  // namespace
}  // namespace historian::format

int main(int argc, char** argv) { historian::format::Main(argc, argv); }
