#include "storage/units/unit_meaning.h"

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "storage/units/unit.h"

namespace historian {
namespace {

constexpr size_t kKeptMax = 1'024;

struct Kept {
  absl::Mutex mu;
  absl::flat_hash_map<std::string, std::shared_ptr<const UnitMeaning>> meanings ABSL_GUARDED_BY(mu);
};

UnitMeaning FindMeaning(absl::string_view text) {
  UnitMeaning meaning;
  const absl::StatusOr<Unit> unit = Unit::Parse(text);
  if (!unit.ok()) {
    meaning.note = std::string(unit.status().message());
    return meaning;
  }
  meaning.known = true;
  meaning.ucum = unit->ucum();
  meaning.quantity = unit->quantity();
  meaning.coherent = unit->coherent();
  const UnitConversion conversion = unit->ToCoherent();
  meaning.factor = conversion.factor();
  meaning.offset = conversion.offset();
  if (const std::string meant = UnitMistakenFor(text); !meant.empty()) {
    meaning.note = absl::StrCat("'", text, "' means ", unit->Describe(), "; was it meant as ", meant, "?");
  }
  return meaning;
}

}  // namespace

std::shared_ptr<const UnitMeaning> MeaningOfUnit(absl::string_view text) {
  static Kept& kept = *new Kept;
  {
    absl::ReaderMutexLock lock(&kept.mu);
    if (const auto found = kept.meanings.find(text); found != kept.meanings.end()) return found->second;
  }
  auto meaning = std::make_shared<const UnitMeaning>(FindMeaning(text));
  absl::MutexLock lock(&kept.mu);
  if (kept.meanings.size() < kKeptMax) kept.meanings.emplace(text, meaning);
  return meaning;
}

}  // namespace historian
