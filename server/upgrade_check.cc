#include "server/upgrade_check.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "storage/archive/offline.h"
#include "storage/format/archive_format.h"
#include "storage/model/status_macros.h"
#include "storage/model/version.h"

namespace historian::server {

absl::StatusOr<UpgradeCheck> CheckUpgrade(const std::string& data_dir) {
  ASSIGN_OR_RETURN(const uint32_t format, FormatOffline(data_dir));
  ASSIGN_OR_RETURN(const std::unique_ptr<Archive> archive, OpenOffline(data_dir));
  const ArchiveStats stats = archive->Stats();
  UpgradeCheck check;
  absl::StrAppend(&check.text, data_dir, ": an archive of format ", format, "; historiand ", kVersion,
                  " reads formats 1 to ", kArchiveFormat, " and writes ", kArchiveFormat, "\n", "holds ",
                  archive->tags().size(), " tags, ", stats.samples_sealed, " sealed samples and ",
                  stats.samples_open, " open ones, which are in the journal\n");
  for (const std::string& damage : stats.damage) absl::StrAppend(&check.text, "damaged: ", damage, "\n");
  check.ok = stats.damage.empty();
  if (!check.ok) {
    absl::StrAppend(&check.text,
                    "Mend the damage first: restore a backup, or see 'histctl verify --data-dir' and "
                    "'histctl salvage'.\n");
  } else if (format == kArchiveFormat) {
    absl::StrAppend(&check.text, "It can be served as it is; builds that have served it can go on to.\n");
  } else {
    absl::StrAppend(&check.text, "It can be upgraded: the first start raises the format to ", kArchiveFormat,
                    ", which takes no time and no room. Nothing is rewritten at once.\n",
                    "There is no way back: builds that read up to format ", kArchiveFormat - 1,
                    " refuse it from then on. Back it up before, if you may want to go back.\n");
  }
  return check;
}

}  // namespace historian::server
