#include "storage/format/text_column.h"

#include <zstd.h>

#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "storage/format/integer_column.h"
#include "storage/format/scratch.h"
#include "storage/model/check.h"

namespace historian::format {
namespace {

// How the distinct strings are stored. DO NOT CHANGE THESE VALUES.
enum Storage : uint8_t { kPlain = 0, kZstd = 1 };

// Shorter texts gain nothing that is worth the microseconds.
constexpr size_t kZstdBytesMin = 128;
constexpr int kZstdLevel = 3;

struct Owner {};

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("text column: ", what));
}

ZSTD_CCtx* Compressor() {
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  static thread_local std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
  return context.get();
}

ZSTD_DCtx* Decompressor() {
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  static thread_local std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  return context.get();
}

void AppendIntegers(const uint64_t* values, size_t size, Density density, std::string* out) {
  uint8_t* bytes = ThreadScratch<Owner, 0, uint8_t>(IntegerColumnBytesMax(size));
  const uint8_t* end = EncodeIntegers(values, size, 0, false, density, bytes);
  out->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(end - bytes));
}

void AppendVarint(uint64_t v, std::string* out) {
  uint8_t bytes[kVarintBytesMax];
  out->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(PutVarint(bytes, v) - bytes));
}

}  // namespace

void EncodeTexts(const SamplesView& samples, size_t bytes_max, Density density, std::string* out) {
  const size_t size = samples.size;
  uint64_t* indexes = ThreadScratch<Owner, 1, uint64_t>(size);
  uint64_t* lengths = ThreadScratch<Owner, 2, uint64_t>(size);
  std::string texts;
  size_t count = 0;
  absl::flat_hash_map<absl::string_view, size_t> seen;
  for (size_t i = 0; i < size; ++i) {
    if (i > 0 && samples.values[i] == samples.values[i - 1]) {
      indexes[i] = indexes[i - 1];
      continue;
    }
    const absl::string_view text = samples.StringAt(i);
    const auto [it, is_new] = seen.try_emplace(text, count);
    indexes[i] = it->second;
    if (!is_new) continue;
    HISTORIAN_CHECK(text.size() <= kStringBytesMax && text.size() <= bytes_max - texts.size());
    lengths[count++] = text.size();
    texts.append(text.data(), text.size());
  }
  AppendVarint(count, out);
  AppendIntegers(lengths, count, density, out);
  AppendIntegers(indexes, size, density, out);
  if (texts.size() >= kZstdBytesMin) {
    const size_t bound = ZSTD_compressBound(texts.size());
    char* shrunk = ThreadScratch<Owner, 3, char>(bound);
    const size_t shrunk_size =
        ZSTD_compressCCtx(Compressor(), shrunk, bound, texts.data(), texts.size(), kZstdLevel);
    if (!ZSTD_isError(shrunk_size) && shrunk_size < texts.size()) {
      out->push_back(kZstd);
      out->append(shrunk, shrunk_size);
      return;
    }
  }
  out->push_back(kPlain);
  out->append(texts);
}

absl::Status DecodeTexts(ByteReader* in, size_t size, size_t bytes_max, ValueBits* indexes,
                         StringColumn* strings) {
  uint64_t count;
  if (!in->VarintUpTo(size, &count) || count == 0)
    return Damaged("the number of distinct strings is out of range");
  uint64_t* lengths = ThreadScratch<Owner, 4, uint64_t>(count);
  if (absl::Status s = DecodeIntegers(in, count, 0, lengths); !s.ok()) return s;
  if (absl::Status s = DecodeIntegers(in, size, 0, indexes); !s.ok()) return s;
  size_t total = 0;
  for (size_t i = 0; i < count; ++i) {
    if (lengths[i] > kStringBytesMax) return Damaged("a string is longer than allowed");
    total += lengths[i];
  }
  if (total > bytes_max) return Damaged(absl::StrCat("strings of ", total, " bytes, more than ", bytes_max));
  for (size_t i = 0; i < size; ++i) {
    if (indexes[i] >= count) return Damaged("an index is outside the strings");
  }
  uint8_t storage;
  absl::string_view texts;
  if (!in->Byte(&storage)) return Damaged("the strings are missing");
  std::unique_ptr<char[]> plain;
  if (storage == kZstd) {
    const absl::string_view shrunk = in->rest();
    // What the frame says it holds is checked before memory is taken for it.
    if (ZSTD_getFrameContentSize(shrunk.data(), shrunk.size()) != total) {
      return Damaged("the shrunk strings do not hold as many bytes as their lengths say");
    }
    plain.reset(new char[total]);
    const size_t got = ZSTD_decompressDCtx(Decompressor(), plain.get(), total, shrunk.data(), shrunk.size());
    if (ZSTD_isError(got) || got != total) return Damaged("the shrunk strings do not expand");
    texts = absl::string_view(plain.get(), total);
    in->Bytes(shrunk.size(), &texts);
    texts = absl::string_view(plain.get(), total);
  } else if (storage == kPlain) {
    if (!in->Bytes(total, &texts)) return Damaged("the strings are cut short");
  } else {
    return Damaged("the strings are stored in an unknown way");
  }
  const uint64_t first = strings->size();
  for (size_t i = 0; i < count; ++i) {
    strings->Add(texts.substr(0, lengths[i]));
    texts.remove_prefix(lengths[i]);
  }
  for (size_t i = 0; i < size; ++i) indexes[i] += first;
  return absl::OkStatus();
}

}  // namespace historian::format
