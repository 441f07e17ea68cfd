#include "storage/aggregate/summary.h"

#include "storage/aggregate/run_fold.h"
#include "storage/model/check.h"

namespace historian {
namespace {

void AddProductOf(ValueType type, ValueBits value, uint64_t n, ExactSum* sum) {
  if (IsFloat(type)) {
    sum->AddProduct(ToDouble(type, value), n);
  } else {
    sum->AddIntProduct(Int64OfBits(value), n);
  }
}

// Adds the segment from the last sample of a to the first of b.
void AddSegment(ValueType type, const Sample& last, const Sample& first, Summary* a, uint32_t parts) {
  const uint64_t ns = Elapsed(last.time, first.time);
  if (IsUncertain(last.quality)) a->uncertain_ns += ns;
  if (!IsUsable(type, last.value, last.quality)) return;
  a->good_ns += ns;
  if ((parts & kQualities) != 0 && !IsUsable(type, first.value, first.quality)) a->unsure_ns += ns;
  if (!IsNumeric(type)) return;
  if ((parts & kZeros) != 0 && IsSameNumber(type, last.value, 0)) a->zero_ns += ns;
  if ((parts & kAreaStepped) != 0) AddProductOf(type, last.value, ns, &a->area_stepped);
  if ((parts & kAreaSloped) != 0) {
    ExactSum doubled;
    AddProductOf(type, last.value, ns, &doubled);
    const bool slopes = IsUsable(type, first.value, first.quality);
    AddProductOf(type, slopes ? first.value : last.value, ns, &doubled);
    doubled.Halve();
    a->area_sloped.Add(doubled);
  }
}

}  // namespace

Summary Summarize(ValueType type, const SamplesView& samples, uint32_t parts) {
  Summary summary;
  if (samples.size == 0) return summary;
  summary.parts = parts;
  RunFold(type, parts)
      .Add(samples, &summary,
           {.good_ns = &summary.good_ns,
            .uncertain_ns = &summary.uncertain_ns,
            .unsure_ns = &summary.unsure_ns,
            .zero_ns = &summary.zero_ns,
            .area_stepped = &summary.area_stepped,
            .area_sloped = &summary.area_sloped});
  return summary;
}

void Merge(ValueType type, const Summary& b, Summary* a, uint32_t parts) {
  if (b.count == 0) return;
  if (a->count > 0) {
    HISTORIAN_CHECK(a->last.time < b.first.time);
    AddSegment(type, a->last, b.first, a, parts);
  }
  a->parts = a->count > 0 ? a->parts & parts & b.parts : parts & b.parts;
  MergeTally(type, b, a, parts);
  a->good_ns += b.good_ns;
  a->uncertain_ns += b.uncertain_ns;
  if ((parts & kQualities) != 0) a->unsure_ns += b.unsure_ns;
  if ((parts & kZeros) != 0) a->zero_ns += b.zero_ns;
  if ((parts & kAreaStepped) != 0) a->area_stepped.Add(b.area_stepped);
  if ((parts & kAreaSloped) != 0) a->area_sloped.Add(b.area_sloped);
}

Summary WithoutDetails(Summary summary) {
  summary.ClearDetails();
  summary.unsure_ns = summary.zero_ns = 0;
  summary.parts &= kCoreParts;
  return summary;
}

void DeriveDetails(ValueType type, Summary* summary) {
  Summary& s = *summary;
  if (s.count == 0) return;
  if (s.good == s.count) {
    s.first_usable = s.first;
    s.last_usable = s.last;
    s.worst = s.first.quality;
    s.parts |= kQualities;
  } else if (s.count == 1) {
    s.worst = s.first.quality;
    s.parts |= kQualities;
  }
  if (!IsNumeric(type) || s.good == 0) {
    s.parts |= kRepeats | kChanges | kZeros;
  } else if (IsSameNumber(type, s.min.value, s.max.value)) {
    s.min_repeats = s.max_repeats = s.good > 1;
    s.zero_ns = IsSameNumber(type, s.min.value, 0) ? s.good_ns : 0;
    s.parts |= kRepeats | kChanges | kZeros;
  } else if (CompareNumbers(type, s.min.value, 0) > 0 || CompareNumbers(type, s.max.value, 0) < 0) {
    s.parts |= kZeros;
  }
}

}  // namespace historian
