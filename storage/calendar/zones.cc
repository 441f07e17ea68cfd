#include "storage/calendar/zones.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "storage/model/nearest_name.h"

namespace historian {
namespace {

namespace fs = std::filesystem;

constexpr size_t kNearMax = 3;
// The longest name has 32 bytes.
constexpr size_t kNameBytesMax = 64;
constexpr size_t kShownBytes = 80;

fs::path Root() {
  const char* const given = std::getenv("TZDIR");
  return given != nullptr && *given != 0 ? given : "/usr/share/zoneinfo";
}

// What is no zone in there (posix, right, zone.tab, ...) begins with a small letter.
bool MayBeZone(absl::string_view name) {
  return !name.empty() && name.size() <= kNameBytesMax &&
         absl::ascii_isupper(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '/' || c == '_' || c == '-' ||
                  c == '+';
         });
}

// absl opens whatever file a name leads to, and remembers names that are none for ever: it is asked for what is a zone only.
bool IsZone(absl::string_view name) {
  if (!MayBeZone(name)) return false;
  const fs::path file = Root() / std::string(name);
  std::error_code error;
  if (!fs::is_regular_file(file, error) || error) return false;
  std::ifstream in(file, std::ios::binary);
  char magic[4] = {};
  return in.read(magic, sizeof(magic)) && absl::string_view(magic, sizeof(magic)) == "TZif";
}

std::string FirstLineOf(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return std::string(absl::StripAsciiWhitespace(line));
}

std::vector<std::string> ListZones() {
  std::vector<std::string> names = {"UTC"};
  const fs::path root = Root();
  std::error_code error;
  fs::recursive_directory_iterator at(root, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    const bool is_directory = at->is_directory(error) && !error;
    const std::string name = at->path().lexically_relative(root).string();
    if (!MayBeZone(name)) {
      if (is_directory) at.disable_recursion_pending();
      continue;
    }
    if (!is_directory) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

struct KnownZones {
  absl::Mutex mu;
  absl::flat_hash_map<std::string, Zone> zones ABSL_GUARDED_BY(mu);
};

}  // namespace

absl::StatusOr<Zone> FindZone(absl::string_view name) {
  if (name == "UTC") return Zone{absl::UTCTimeZone(), TzDatabaseVersion()};
  static KnownZones& known = *new KnownZones;
  absl::MutexLock lock(&known.mu);
  if (const auto found = known.zones.find(name); found != known.zones.end()) return found->second;
  Zone zone{.tz_version = TzDatabaseVersion()};
  if (!IsZone(name) || !absl::LoadTimeZone(name, &zone.zone)) {
    std::error_code error;
    if (!fs::is_directory(Root(), error)) {
      return absl::InvalidArgumentError(absl::StrCat("time zone '", name.substr(0, kShownBytes),
                                                     "': there is no tz database at ", Root().string(),
                                                     " (Debian's package tzdata); only UTC is known"));
    }
    return absl::InvalidArgumentError(
        absl::StrCat("unknown time zone '", name.substr(0, kShownBytes),
                     "': expected UTC or a name of the tz database such as Europe/Berlin",
                     DidYouMean(NearZones(name.substr(0, kNameBytesMax)))));
  }
  known.zones.emplace(name, zone);
  return zone;
}

const std::vector<std::string>& ZoneNames() {
  static const std::vector<std::string>& names = *new std::vector<std::string>(ListZones());
  return names;
}

std::vector<std::string> NearZones(absl::string_view typed) {
  const std::vector<std::string>& zones = ZoneNames();
  const std::string city = absl::StrCat("/", absl::StrReplaceAll(typed, {{" ", "_"}}));
  std::vector<std::string> near;
  for (const std::string& zone : zones) {
    if (near.size() < kNearMax && absl::EndsWithIgnoreCase(absl::StrCat("/", zone), city))
      near.push_back(zone);
  }
  return near.empty() ? NearestNames(typed, zones, kNearMax) : near;
}

std::optional<std::string> LocalZoneName() {
  const char* const given = std::getenv("TZ");
  if (given != nullptr && *given != 0) {
    absl::string_view name = given;
    absl::ConsumePrefix(&name, ":");
    return name == "UTC" || IsZone(name) ? std::make_optional(std::string(name)) : std::nullopt;
  }
  std::error_code error;
  const fs::path file = fs::canonical("/etc/localtime", error), root = fs::canonical(Root(), error);
  if (error) return std::nullopt;
  std::string name = file.lexically_relative(root).string();
  return IsZone(name) ? std::make_optional(std::move(name)) : std::nullopt;
}

std::string TzDatabaseVersion() {
  std::string version = FirstLineOf(Root() / "+VERSION");
  if (version.empty()) {
    const std::string line = FirstLineOf(Root() / "tzdata.zi");
    absl::string_view rest = line;
    if (absl::ConsumePrefix(&rest, "# version ")) version = std::string(rest);
  }
  return version.empty() ? "unknown" : version.substr(0, kNameBytesMax);
}

}  // namespace historian
