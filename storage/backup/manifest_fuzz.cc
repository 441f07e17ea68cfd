// Strategy: the first byte chooses a manifest or a drill, the rest are its lines; the checksum behind them is put right, so that
// mutations get past it. Invariants: reading ends with what was read, DataLoss or FailedPrecondition (a newer program); no path
// leads out of a directory; written down and read again it is the same.
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "storage/backup/checked_text.h"
#include "storage/backup/digest.h"
#include "storage/backup/drill.h"
#include "storage/backup/manifest.h"
#include "storage/model/check.h"
#include "tests/fuzz/driver.h"

namespace {

using namespace historian;  // NOLINT: a program of its own.

void CheckError(const absl::Status& status) {
  HISTORIAN_CHECK(absl::IsDataLoss(status) || absl::IsFailedPrecondition(status));
}

void CheckManifest(absl::string_view text) {
  const absl::StatusOr<backup::Manifest> manifest = backup::DecodeManifest(text, "it");
  if (!manifest.ok()) return CheckError(manifest.status());
  for (const backup::BackedUpFile& file : manifest->files) {
    HISTORIAN_CHECK(!absl::StartsWith(file.path, "/") && !absl::StrContains("/" + file.path + "/", "/../"));
    HISTORIAN_CHECK(backup::IsDigest(file.digest));
  }
  const absl::StatusOr<backup::Manifest> again =
      backup::DecodeManifest(backup::EncodeManifest(*manifest), "it");
  HISTORIAN_CHECK(again.ok() && *again == *manifest);
}

void CheckDrill(absl::string_view text) {
  const absl::StatusOr<backup::DrillResult> drill = backup::DecodeDrill(text, "it");
  if (!drill.ok()) return CheckError(drill.status());
  const absl::StatusOr<backup::DrillResult> again = backup::DecodeDrill(backup::EncodeDrill(*drill), "it");
  HISTORIAN_CHECK(again.ok() && *again == *drill);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string lines(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto check = data[0] % 2 == 0 ? CheckManifest : CheckDrill;
  check(lines);
  check(backup::WithEnd(lines));
  return 0;
}

namespace historian::fuzz {

std::vector<std::string> FuzzSeeds() {
  backup::Manifest manifest;
  manifest.info = {
      .id = "20261129T101500Z-8000", .archive_id = "00", .server_version = "0.1.0", .version = 17};
  manifest.files = {
      {.path = "FORMAT", .size_bytes = 18, .digest = backup::DigestOf("a")},
      {.path = "rocksdb/1.sst", .size_bytes = 3, .digest = backup::DigestOf("b"), .written_ns = 7}};
  const backup::DrillResult drill{.id = "20261129T101500Z-8000",
                                  .backup = "20261129T101500Z-7000",
                                  .version = 3,
                                  .what = "damage: a page"};
  std::vector<std::string> seeds;
  for (const auto& [kind, text] :
       {std::pair('\0', backup::EncodeManifest(manifest)), std::pair('\1', backup::EncodeDrill(drill))})
    seeds.push_back(kind + text.substr(0, text.rfind("end ")));
  return seeds;
}

}  // namespace historian::fuzz
