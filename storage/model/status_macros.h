// File: storage/model/status_macros.h
//
// RETURN_IF_ERROR(expr)            returns the status of expr from the calling function unless it is OK.
// ASSIGN_OR_RETURN(lhs, expr)      assigns the value of a StatusOr, or returns its status.
// Annotate(status, "reading ...")  the same code and payloads, with what was being done in front of the message.
#ifndef HISTORIAN_STORAGE_MODEL_STATUS_MACROS_H_
#define HISTORIAN_STORAGE_MODEL_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#define HISTORIAN_CONCAT_INNER(a, b) a##b
#define HISTORIAN_CONCAT(a, b) HISTORIAN_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expr)                                                  \
  do {                                                                         \
    if (absl::Status status_macro_ = (expr); !status_macro_.ok()) [[unlikely]] \
      return status_macro_;                                                    \
  } while (false)

#define ASSIGN_OR_RETURN(lhs, expr) ASSIGN_OR_RETURN_INNER(HISTORIAN_CONCAT(status_or_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_INNER(tmp, lhs, expr) \
  auto tmp = (expr);                           \
  if (!tmp.ok()) [[unlikely]]                  \
    return std::move(tmp).status();            \
  lhs = *std::move(tmp)

namespace historian {

inline absl::Status Annotate(const absl::Status& status, absl::string_view doing) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(doing, ": ", status.message()));
  status.ForEachPayload(
      [&annotated](absl::string_view url, const absl::Cord& payload) { annotated.SetPayload(url, payload); });
  return annotated;
}

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_STATUS_MACROS_H_
