#include "storage/backup/manifest.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "storage/backup/checked_text.h"
#include "storage/backup/digest.h"
#include "storage/model/status_macros.h"

namespace historian::backup {
namespace {

constexpr char kFirst[] = "historian backup";
constexpr int kFormat = 1;
constexpr size_t kPathBytesMax = 200;

// In order of the file. Texts have no line ends: they are ours.
struct Fields {
  explicit Fields(BackupInfo& info)
      : texts{{"id", &info.id}, {"archive", &info.archive_id}, {"server", &info.server_version}},
        times{{"begun", &info.begun},
              {"taken", &info.taken},
              {"ended", &info.ended},
              {"version_time", &info.version_time}},
        numbers{{"damages", &info.damages}, {"new_files", &info.new_files}, {"new_bytes", &info.new_bytes}} {}

  std::vector<std::pair<absl::string_view, std::string*>> texts;
  std::vector<std::pair<absl::string_view, Timestamp*>> times;
  std::vector<std::pair<absl::string_view, uint64_t*>> numbers;
};

template <class List>
auto* Find(const List& list, absl::string_view word) {
  const auto found =
      std::find_if(list.begin(), list.end(), [&](const auto& field) { return field.first == word; });
  return found == list.end() ? nullptr : found->second;
}

absl::Status ReadFile(const CheckedLines& lines, absl::string_view rest, Manifest* manifest) {
  const std::vector<absl::string_view> parts = absl::StrSplit(rest, absl::MaxSplits(' ', 3));
  if (parts.size() != 4) return lines.Damaged();
  BackedUpFile file{.path = std::string(parts[3]), .digest = std::string(parts[0])};
  ASSIGN_OR_RETURN(file.size_bytes, lines.Number(parts[1]));
  if (!absl::SimpleAtoi(parts[2], &file.written_ns) || !IsDigest(file.digest) || !IsSafePath(file.path) ||
      (!manifest->files.empty() && file.path <= manifest->files.back().path)) {
    return lines.Damaged();
  }
  manifest->info.bytes += file.size_bytes;
  ++manifest->info.files;
  manifest->files.push_back(std::move(file));
  return absl::OkStatus();
}

}  // namespace

std::string ObjectOf(const BackedUpFile& file) {
  return absl::StrCat("files/", file.digest.substr(0, 2), "/", file.digest, "-", file.size_bytes);
}

std::string NewBackupId(Timestamp now) {
  const absl::Time time = TimeFromTimestamp(now);
  const absl::Time second = absl::FromUnixSeconds(absl::ToUnixSeconds(time));
  return absl::StrCat(
      absl::FormatTime("%Y%m%dT%H%M%SZ", second, absl::UTCTimeZone()), "-",
      absl::StrFormat("%04x", absl::ToInt64Nanoseconds(time - second) * 65'536 / kNanosPerSecond));
}

bool IsBackupId(absl::string_view text) {
  constexpr absl::string_view kShape = "dddddddd\1dddddd\2-xxxx";
  if (text.size() != kShape.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool good = kShape[i] == 'd'    ? absl::ascii_isdigit(c)
                      : kShape[i] == 'x'  ? absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f')
                      : kShape[i] == '\1' ? c == 'T'
                      : kShape[i] == '\2' ? c == 'Z'
                                          : c == kShape[i];
    if (!good) return false;
  }
  return true;
}

bool IsSafePath(absl::string_view path) {
  if (path.empty() || path.size() > kPathBytesMax) return false;
  for (const absl::string_view part : absl::StrSplit(path, '/')) {
    if (part.empty() || part == "." || part == "..") return false;
    for (const char c : part) {
      if (!absl::ascii_isalnum(c) && c != '.' && c != '_' && c != '-') return false;
    }
  }
  return true;
}

std::string EncodeManifest(const Manifest& manifest) {
  BackupInfo info = manifest.info;
  const Fields fields(info);
  std::string lines = absl::StrCat(kFirst, " ", kFormat, "\n");
  for (const auto& [word, text] : fields.texts) absl::StrAppend(&lines, word, " ", *text, "\n");
  for (const auto& [word, time] : fields.times)
    absl::StrAppend(&lines, word, " ", FormatTimestamp(*time), "\n");
  absl::StrAppend(&lines, "version ", info.version, "\n");
  for (const auto& [word, number] : fields.numbers) absl::StrAppend(&lines, word, " ", *number, "\n");
  for (const BackedUpFile& file : manifest.files) {
    absl::StrAppend(&lines, "file ", file.digest, " ", file.size_bytes, " ", file.written_ns, " ", file.path,
                    "\n");
  }
  return WithEnd(std::move(lines));
}

absl::StatusOr<Manifest> DecodeManifest(absl::string_view text, const std::string& what) {
  ASSIGN_OR_RETURN(CheckedLines lines, CheckedLines::Open(text, kFirst, kFormat, what));
  Manifest manifest;
  const Fields fields(manifest.info);
  absl::string_view word, rest;
  while (lines.Next(&word, &rest)) {
    if (word == "file") {
      RETURN_IF_ERROR(ReadFile(lines, rest, &manifest));
    } else if (word == "version") {
      ASSIGN_OR_RETURN(const uint64_t version, lines.Number(rest));
      if (version >= kVersionNow) return lines.Damaged();
      manifest.info.version = static_cast<Version>(version);
    } else if (std::string* const to = Find(fields.texts, word); to != nullptr) {
      *to = std::string(rest);
    } else if (Timestamp* const time = Find(fields.times, word); time != nullptr) {
      ASSIGN_OR_RETURN(*time, lines.Time(rest));
    } else if (uint64_t* const number = Find(fields.numbers, word); number != nullptr) {
      ASSIGN_OR_RETURN(*number, lines.Number(rest));
    } else {
      return lines.Damaged();
    }
  }
  if (!IsBackupId(manifest.info.id) || manifest.info.archive_id.empty()) {
    return absl::DataLossError(absl::StrCat(what, " is damaged: it does not say of what it is"));
  }
  return manifest;
}

}  // namespace historian::backup
