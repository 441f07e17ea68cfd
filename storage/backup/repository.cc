#include "storage/backup/repository.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/backup/checked_text.h"
#include "storage/model/status_macros.h"

namespace historian::backup {
namespace {

constexpr char kRepositoryName[] = "REPOSITORY";
constexpr char kFirst[] = "historian repository";
constexpr int kFormat = 1;
constexpr size_t kRepositoryBytesMax = 4096;

}  // namespace

absl::StatusOr<Repository> Repository::Create(Target& target, const std::string& archive_id, Timestamp now) {
  RETURN_IF_ERROR(target.Make());
  ASSIGN_OR_RETURN(const std::vector<StoredObject> there, target.List(""));
  for (const StoredObject& object : there) {
    // A file system of its own has lost+found.
    if (absl::StartsWith(object.name, "lost+found/")) continue;
    return absl::AlreadyExistsError(object.name == kRepositoryName
                                        ? absl::StrCat(target.name(), " is a repository already")
                                        : absl::StrCat(target.name(), " is not empty: it holds ", object.name,
                                                       "; a repository needs a place of its own"));
  }
  RETURN_IF_ERROR(
      target.Put(kRepositoryName, WithEnd(absl::StrCat(kFirst, " ", kFormat, "\narchive ", archive_id,
                                                       "\ncreated ", FormatTimestamp(now), "\n"))));
  return Repository(target, archive_id);
}

absl::StatusOr<Repository> Repository::Open(Target& target) {
  const absl::StatusOr<std::string> text = target.Get(kRepositoryName, kRepositoryBytesMax);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(absl::StrCat("there is no repository in ", target.name(),
                                            ": is its disk mounted? 'histctl backup init' makes a new one"));
  }
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(CheckedLines lines, CheckedLines::Open(*text, kFirst, kFormat,
                                                          absl::StrCat(target.name(), "/", kRepositoryName)));
  std::string archive_id;
  absl::string_view word, rest;
  while (lines.Next(&word, &rest)) {
    if (word == "archive") archive_id = std::string(rest);
  }
  if (archive_id.empty()) {
    return absl::DataLossError(
        absl::StrCat(target.name(), "/", kRepositoryName, " is damaged: it names no archive"));
  }
  return Repository(target, archive_id);
}

absl::Status Repository::CheckIsOf(const std::string& archive_id) const {
  if (archive_id == archive_id_) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("the repository ", target_->name(), " is of the archive ",
                                                    archive_id_, ", and this is the archive ", archive_id,
                                                    ": each archive needs a repository of its own"));
}

absl::StatusOr<std::vector<std::string>> Repository::BackupIds() const {
  ASSIGN_OR_RETURN(const std::vector<StoredObject> objects, target_->List(kBackupsPrefix));
  std::vector<std::string> ids;
  for (const StoredObject& object : objects) {
    std::string id = object.name.substr(absl::string_view(kBackupsPrefix).size());
    if (IsBackupId(id)) ids.push_back(std::move(id));
  }
  return ids;
}

absl::StatusOr<Manifest> Repository::ReadManifest(const std::string& id) const {
  if (!IsBackupId(id)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", id, "' is no backup's id: they are like 20261129T101500Z-7f3a (histctl backup list)"));
  }
  const std::string name = absl::StrCat(kBackupsPrefix, id);
  const absl::StatusOr<std::string> text = target_->Get(name, kManifestBytesMax);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(absl::StrCat("there is no backup ", id, " in ", target_->name()));
  }
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(Manifest manifest, DecodeManifest(*text, absl::StrCat("the manifest of backup ", id)));
  if (manifest.info.id != id) {
    return absl::DataLossError(
        absl::StrCat("the manifest of backup ", id, " is another's: it says ", manifest.info.id));
  }
  if (manifest.info.archive_id != archive_id_) {
    return absl::DataLossError(absl::StrCat("backup ", id, " is of the archive ", manifest.info.archive_id,
                                            ", and the repository of ", archive_id_));
  }
  return manifest;
}

absl::StatusOr<std::vector<Repository::Listed>> Repository::List() const {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, BackupIds());
  std::vector<Listed> listed;
  for (const std::string& id : ids) {
    absl::StatusOr<Manifest> manifest = ReadManifest(id);
    if (absl::IsNotFound(manifest.status())) continue;  // Removed meanwhile.
    if (!manifest.ok() && !absl::IsDataLoss(manifest.status()) &&
        !absl::IsFailedPrecondition(manifest.status()))
      return manifest.status();
    if (manifest.ok()) {
      listed.push_back({id, std::move(manifest->info)});
    } else {
      listed.push_back({id, manifest.status()});
    }
  }
  return listed;
}

absl::StatusOr<Manifest> Repository::FindNewest(Timestamp at) const {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, BackupIds());
  const std::string id_at = NewBackupId(at);
  for (size_t i = ids.size(); i-- > 0;) {
    if (at != kTimestampMax && ids[i] > id_at) continue;  // It began later.
    absl::StatusOr<Manifest> manifest = ReadManifest(ids[i]);
    if (absl::IsNotFound(manifest.status())) continue;  // Removed meanwhile.
    if (!manifest.ok() || manifest->info.taken <= at) return manifest;
  }
  return absl::NotFoundError(
      absl::StrCat("there is no backup in ", target_->name(),
                   at == kTimestampMax ? "" : absl::StrCat(" taken by ", FormatTimestamp(at))));
}

}  // namespace historian::backup
