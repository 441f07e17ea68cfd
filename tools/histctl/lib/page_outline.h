// File: tools/histctl/lib/page_outline.h
//
// How a stored page is made up: the sizes of its columns and what they are encoded as, read from the page's
// own bytes as storage/format/page.md tells. For people who look at blocks; nothing is decoded.
#ifndef HISTORIAN_TOOLS_HISTCTL_LIB_PAGE_OUTLINE_H_
#define HISTORIAN_TOOLS_HISTCTL_LIB_PAGE_OUTLINE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/model/value.h"

namespace historian::histctl {

struct PageOutline {
  size_t samples = 0;
  size_t time_bytes = 0;
  size_t quality_bytes = 0;  // 0: all are Good.
  size_t value_bytes = 0;
  std::string times;      // "line", "ramp", "delta binned" ...; "one" for a single sample.
  std::string values;     // "decimals(2)", "runs", "text", ...
  std::string qualities;  // Empty: all are Good.
};

// Errors: DataLoss, the bytes are not a page.
absl::StatusOr<PageOutline> OutlineOfPage(ValueType type, absl::string_view page);

}  // namespace historian::histctl

#endif  // HISTORIAN_TOOLS_HISTCTL_LIB_PAGE_OUTLINE_H_
