#include "storage/model/nearest_name.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace historian {

size_t EditDistance(absl::string_view a, absl::string_view b, size_t most) {
  const auto same = [](char x, char y) { return absl::ascii_tolower(x) == absl::ascii_tolower(y); };
  while (!a.empty() && !b.empty() && same(a.front(), b.front())) {
    a.remove_prefix(1);
    b.remove_prefix(1);
  }
  while (!a.empty() && !b.empty() && same(a.back(), b.back())) {
    a.remove_suffix(1);
    b.remove_suffix(1);
  }
  if (a.size() > b.size()) std::swap(a, b);
  if (b.size() - a.size() > most) return most + 1;
  // Row i has the distances of a's first i bytes from b's first j; those further than `most` from the diagonal are not
  // looked at.
  const size_t far = most + 1;
  std::vector<size_t> before(b.size() + 1, far), above(b.size() + 1, far), row(b.size() + 1, far);
  for (size_t j = 0; j <= std::min(b.size(), most); ++j) above[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    const size_t first = i > most ? i - most : 0, last = std::min(b.size(), i + most);
    std::fill(row.begin(), row.end(), far);
    size_t best = far;
    for (size_t j = first; j <= last; ++j) {
      size_t distance = above[j] + 1;
      if (j > 0) {
        distance = std::min({distance, row[j - 1] + 1, above[j - 1] + (same(a[i - 1], b[j - 1]) ? 0 : 1)});
        if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1])) {
          distance = std::min(distance, before[j - 2] + 1);
        }
      }
      row[j] = std::min(distance, far);
      best = std::min(best, row[j]);
    }
    if (best == far) return far;
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

size_t NearEnough(absl::string_view typed) {
  return typed.size() < 5 ? 1 : std::clamp<size_t>(typed.size() / 4, 2, 5);
}

std::vector<std::string> NearestNames(absl::string_view typed, absl::Span<const std::string> known,
                                      size_t most) {
  std::vector<std::string> nearest;
  size_t best = NearEnough(typed);
  for (const std::string& name : known) {
    const size_t distance = EditDistance(typed, name, best);
    if (distance > best) continue;
    if (distance < best) nearest.clear();
    best = distance;
    if (nearest.size() < most) nearest.push_back(name);
  }
  return nearest;
}

std::string DidYouMean(absl::Span<const std::string> names) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? "; did you mean " : i + 1 == names.size() ? " or " : ", ", names[i]);
  }
  return text.empty() ? text : text + "?";
}

std::string DidYouMean(absl::string_view typed, absl::Span<const std::string> known) {
  return DidYouMean(NearestNames(typed, known));
}

}  // namespace historian
