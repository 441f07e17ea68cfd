#include "storage/backup/verify_repository.h"

#include <map>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/backup/digest.h"
#include "storage/backup/throttle.h"
#include "storage/model/status_macros.h"

namespace historian::backup {
namespace {

constexpr size_t kPieceBytes = size_t{256} << 10;

struct Wanted {
  BackedUpFile file;
  std::vector<size_t> backups;  // Places in the list of ids.
};

bool IsDamage(const absl::Status& status) { return absl::IsDataLoss(status) || absl::IsNotFound(status); }

}  // namespace

absl::StatusOr<RepositoryCounts> VerifyRepository(const Repository& repository,
                                                  const VerifyRepositoryOptions& options,
                                                  const VerifyRepositoryObserver& observer) {
  RepositoryCounts counts;
  const auto damage = [&](RepositoryDamage found) {
    ++counts.damages;
    if (observer.on_damage != nullptr) observer.on_damage(found);
  };
  std::vector<std::string> ids = options.backups;
  if (ids.empty()) {
    ASSIGN_OR_RETURN(ids, repository.BackupIds());
  }
  std::map<std::string, Wanted> wanted;  // By object.
  for (size_t i = 0; i < ids.size(); ++i) {
    RETURN_IF_ERROR(GoOn(observer.keep_going));
    absl::StatusOr<Manifest> manifest = repository.ReadManifest(ids[i]);
    if (absl::IsNotFound(manifest.status()) && options.backups.empty()) continue;  // Removed meanwhile.
    if (absl::IsDataLoss(manifest.status())) {
      damage({.object = absl::StrCat(kBackupsPrefix, ids[i]),
              .what = std::string(manifest.status().message()),
              .backups = {ids[i]}});
      continue;
    }
    RETURN_IF_ERROR(manifest.status());
    ++counts.backups;
    for (BackedUpFile& file : manifest->files) {
      Wanted& one = wanted[ObjectOf(file)];
      if (one.backups.empty()) one.file = std::move(file);
      if (one.backups.empty() || one.backups.back() != i) one.backups.push_back(i);
    }
  }
  ASSIGN_OR_RETURN(const std::vector<StoredObject> objects, repository.target().List(kFilesPrefix));
  std::map<std::string, uint64_t> there;
  for (const StoredObject& object : objects) there.emplace(object.name, object.size_bytes);

  std::mt19937_64 random(std::random_device{}());
  std::uniform_real_distribution<double> chance(0, 1);
  std::vector<bool> is_read;
  for (const auto& [name, one] : wanted) {
    is_read.push_back(chance(random) < options.sample);
    if (is_read.back()) counts.bytes_total += one.file.size_bytes;
  }
  counts.files_total = wanted.size();
  Throttle throttle(options.bytes_per_second);
  const auto read = [&](const std::string& name, const BackedUpFile& file) -> absl::Status {
    ASSIGN_OR_RETURN(const std::unique_ptr<ObjectReader> reader, repository.target().Read(name));
    Digester digester;
    uint64_t size = 0;
    while (true) {
      RETURN_IF_ERROR(throttle.Take(kPieceBytes, observer.keep_going));
      ASSIGN_OR_RETURN(const std::string bytes, reader->Read(kPieceBytes));
      if (bytes.empty()) break;
      digester.Add(bytes);
      size += bytes.size();
    }
    counts.bytes += size;
    if (size != file.size_bytes || digester.Finish() != file.digest)
      return absl::DataLossError("its bytes are not those that were written");
    return absl::OkStatus();
  };
  size_t place = 0;
  for (const auto& [name, one] : wanted) {
    RETURN_IF_ERROR(GoOn(observer.keep_going));
    const auto found = there.find(name);
    absl::Status status;
    if (found == there.end()) {
      status = absl::NotFoundError("it is missing");
    } else if (found->second != one.file.size_bytes) {
      status = absl::DataLossError(
          absl::StrCat("it has ", found->second, " bytes instead of ", one.file.size_bytes));
    } else if (is_read[place]) {
      status = read(name, one.file);
    }
    ++place;
    ++counts.files;
    if (IsDamage(status)) {
      RepositoryDamage hurt{.object = name, .what = std::string(status.message()), .path = one.file.path};
      for (const size_t i : one.backups) hurt.backups.push_back(ids[i]);
      damage(std::move(hurt));
    } else if (!status.ok()) {
      return status;
    }
    if (observer.on_progress != nullptr) observer.on_progress(counts);
  }
  return counts;
}

}  // namespace historian::backup
