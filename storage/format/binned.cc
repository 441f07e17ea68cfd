#include "storage/format/binned.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "storage/format/bit_string.h"
#include "storage/format/scratch.h"

namespace historian::format {
namespace {

// More states follow the frequencies closer, but cost room at the beginning and time to lay out.
constexpr unsigned kTableBitsMin = 4;
constexpr unsigned kTableBitsMax = 10;
constexpr size_t kStates = 4;
// Frequencies within a column are at most this many half octaves apart.
constexpr int kFrequencySpanMax = 60;

struct Owner {};

// log2 in 256ths of a bit, the same on every machine.
uint32_t Log2(size_t x) {
  constexpr size_t kTableSize = 2048;
  static const auto* table = [] {
    auto* t = new std::array<uint16_t, kTableSize>();
    for (size_t i = 1; i < kTableSize; ++i) {
      (*t)[i] = static_cast<uint16_t>(std::lround(std::log2(static_cast<double>(i)) * 256));
    }
    return t;
  }();
  uint32_t whole = 0;
  for (; x >= kTableSize; x >>= 1) whole += 256;
  return whole + (*table)[x];
}

// The half octave nearest to a count: 2, 3, 4, 6, 8, 12 ... are frequencies 2, 3, 4 ...
int FrequencyOf(size_t count) {
  const uint32_t log = Log2(count);
  return static_cast<int>(2 * (log / 256) + (log % 256 >= 75) + (log % 256 >= 203));
}

// Weights of the bins, 1 or more each, 2^table_bits together. False when that cannot be.
using Weights = std::array<uint32_t, kBinsMax>;
bool SpreadWeights(const BinPlan& plan, unsigned table_bits, Weights* weights) {
  int lowest = plan.bins[0].frequency;
  int highest = lowest;
  for (size_t j = 1; j < plan.count; ++j) {
    lowest = std::min<int>(lowest, plan.bins[j].frequency);
    highest = std::max<int>(highest, plan.bins[j].frequency);
  }
  if (highest - lowest > kFrequencySpanMax) return false;
  const auto share = [&](size_t j) {
    const unsigned q = static_cast<unsigned>(plan.bins[j].frequency - lowest);
    return uint64_t{2 + q % 2} << (q / 2);
  };
  uint64_t total = 0;
  for (size_t j = 0; j < plan.count; ++j) total += share(j);
  // Sums are rounded, not the weights, so that their errors do not add up.
  uint64_t sum = 0;
  uint32_t before = 0;
  uint32_t borrowed = 0;
  size_t largest = 0;
  for (size_t j = 0; j < plan.count; ++j) {
    sum += share(j);
    const uint32_t rounded = static_cast<uint32_t>(((sum << table_bits) + total / 2) / total);
    uint32_t& weight = (*weights)[j];
    weight = rounded - before;
    before = rounded;
    if (weight == 0) {
      weight = 1;
      ++borrowed;
    }
    if (weight > (*weights)[largest]) largest = j;
  }
  if ((*weights)[largest] <= borrowed) return false;
  (*weights)[largest] -= borrowed;
  return true;
}

// Calls place(bin, slot) for each slot of the table. Slots of a bin are spread evenly: the step is odd, so it
// visits all of them.
template <typename Place>
void LayOut(size_t bins, const Weights& weights, unsigned table_bits, Place place) {
  const uint32_t size = uint32_t{1} << table_bits;
  const uint32_t step = size / 2 + size / 8 + 3;
  uint32_t slot = 0;
  for (size_t j = 0; j < bins; ++j) {
    for (uint32_t k = 0; k < weights[j]; ++k) {
      place(j, slot);
      slot = (slot + step) & (size - 1);
    }
  }
}

// The values less the smallest, sorted.
struct Sorted {
  int64_t min;
  uint64_t span;
  const uint64_t* keys;
};

constexpr uint64_t kCountedSpanMax = 4096;

Sorted Sort(const uint64_t* values, size_t size) {
  int64_t min = static_cast<int64_t>(values[0]);
  int64_t max = min;
  for (size_t i = 1; i < size; ++i) {
    min = std::min(min, static_cast<int64_t>(values[i]));
    max = std::max(max, static_cast<int64_t>(values[i]));
  }
  const uint64_t span = static_cast<uint64_t>(max) - static_cast<uint64_t>(min);
  uint64_t* keys = ThreadScratch<Owner, 0, uint64_t>(size);
  if (span < kCountedSpanMax) {
    uint32_t counts[kCountedSpanMax];
    std::fill_n(counts, span + 1, 0);
    for (size_t i = 0; i < size; ++i) ++counts[values[i] - static_cast<uint64_t>(min)];
    uint64_t* end = keys;
    for (uint64_t key = 0; key <= span; ++key) end = std::fill_n(end, counts[key], key);
    return {min, span, keys};
  }
  for (size_t i = 0; i < size; ++i) keys[i] = values[i] - static_cast<uint64_t>(min);
  uint64_t* other = ThreadScratch<Owner, 1, uint64_t>(size);
  for (unsigned shift = 0; shift < WidthOf(span); shift += 8) {
    uint32_t places[256] = {};
    for (size_t i = 0; i < size; ++i) ++places[keys[i] >> shift & 255];
    uint32_t sum = 0;
    for (uint32_t& place : places) {
      const uint32_t count = place;
      place = sum;
      sum += count;
    }
    for (size_t i = 0; i < size; ++i) other[places[keys[i] >> shift & 255]++] = keys[i];
    std::swap(keys, other);
  }
  return {min, span, keys};
}

// Neighbours that no bin will tell apart.
struct Group {
  uint64_t low, high;
  uint32_t before;  // How many values are lower.
};

// At most kBinsMax groups: of one number each when there are few, else of about as many values each.
size_t MakeGroups(const Sorted& sorted, size_t size, Group* groups) {
  const uint64_t* keys = sorted.keys;
  size_t distinct = 1;
  for (size_t i = 1; i < size; ++i) distinct += keys[i] != keys[i - 1];
  size_t count = 0;
  size_t open = 0;  // Values in the last group.
  for (size_t i = 0; i < size;) {
    size_t end = i + 1;
    while (end < size && keys[end] == keys[i]) ++end;
    const size_t wanted = distinct <= kBinsMax ? 1 : (size + kBinsMax / 2 - 1) / (kBinsMax / 2);
    // A number that is frequent by itself stays alone.
    const bool full = open >= wanted || (open > 0 && end - i >= wanted);
    if (count == 0 || (full && count < kBinsMax)) {
      groups[count++] = {keys[i], keys[i], static_cast<uint32_t>(i)};
      open = 0;
    }
    groups[count - 1].high = keys[i];
    open += end - i;
    i = end;
  }
  return count;
}

// What a bin costs beside its values, about, in 256ths of a bit: a number beside the one before, a number
// elsewhere but for its gap, a range, which can mostly begin where the one before ends.
constexpr uint64_t kNextNumberCost = 4 * 256;
constexpr uint64_t kNumberCost = 22 * 256;
constexpr uint64_t kRangeCost = 10 * 256;

uint64_t BinCost(const Group* group, bool is_first, unsigned width) {
  if (width > 0) return kRangeCost;
  const uint64_t gap = is_first ? 0 : group->low - group[-1].high - 1;
  return gap == 0 ? kNextNumberCost : kNumberCost + 256 * uint64_t{WidthOf(gap)};
}

// The significant bits of a gap and how far up they lie.
struct Gap {
  uint64_t digits;
  unsigned shift;
};
Gap GapOf(uint64_t gap) {
  if (gap == 0) return {0, 0};
  const unsigned shift = static_cast<unsigned>(std::countr_zero(gap));
  return {gap >> shift, shift};
}

// Where a bin for the numbers low to high begins, numbers less than the least value of all; `width` becomes
// what it then needs. The bin before has numbers up to high_before, though it may reach further.
uint64_t BeginningAfter(uint64_t lower_before, unsigned width_before, uint64_t high_before, uint64_t low,
                        uint64_t high, unsigned* width) {
  // Where the one before ends, if that will do: nothing is shorter to write. Numbers in both are the one's
  // before.
  const uint64_t end_before = width_before < 64 ? lower_before + (uint64_t{1} << width_before) : 0;
  const bool overlaps = end_before > low;
  if (end_before > lower_before && end_before <= high && WidthOf(high - end_before) <= *width &&
      !(overlaps && *width == 0)) {
    *width = std::min(*width, WidthOf(high - end_before));
    return end_before;
  }
  // Else lower than its first number, where the gap has few digits.
  const uint64_t from = lower_before + 1;
  for (unsigned shift = *width; shift > 0; --shift) {
    const uint64_t rounded = from + ((low - from) >> (shift - 1) << (shift - 1));
    if (rounded > high_before && WidthOf(high - rounded) <= *width) return rounded;
  }
  return low;
}

// What two numbers say of each other, as the writer puts it.
bool AreAdjacent(const Bin& before, const Bin& bin) {
  return before.width < 64 && bin.lower - before.lower == uint64_t{1} << before.width;
}
uint64_t WidthCode(const Bin& before, const Bin& bin) {
  return ZigZag(static_cast<uint64_t>(int64_t{bin.width} - before.width));
}
uint64_t FrequencyCode(const Bin& before, const Bin& bin) {
  return ZigZag(static_cast<uint64_t>(int64_t{bin.frequency} - before.frequency));
}

// Bits of a bin after another.
unsigned BitsOf(const Bin& before, const Bin& bin) {
  const auto gamma = [](uint64_t v) { return 2 * WidthOf(v + 1) - 1; };
  unsigned bits = 1 + gamma(FrequencyCode(before, bin));
  const bool adjacent = AreAdjacent(before, bin);
  if (adjacent && bin.width == before.width) return bits;
  bits += 1 + gamma(WidthCode(before, bin));
  if (adjacent) return bits;
  const unsigned digits = WidthOf(GapOf(bin.lower - before.lower - 1).digits);
  return bits + 6 + gamma(digits) + (digits > 1 ? digits - 1 : 0);
}

absl::Status Damaged(const char* what) { return absl::DataLossError(what); }

}  // namespace

BinPlan PlanBins(const uint64_t* values, size_t size) {
  const Sorted sorted = Sort(values, size);
  Group groups[kBinsMax];
  const size_t group_count = MakeGroups(sorted, size, groups);

  // The cheapest partition of the first j groups, for each j.
  uint64_t costs[kBinsMax + 1];
  uint8_t begins[kBinsMax + 1];
  const auto before = [&](size_t group) {
    return group == group_count ? static_cast<uint32_t>(size) : groups[group].before;
  };
  costs[0] = 0;
  const uint32_t log_size = Log2(size);
  for (size_t j = 1; j <= group_count; ++j) {
    costs[j] = std::numeric_limits<uint64_t>::max();
    for (size_t i = j; i-- > 0;) {
      const uint64_t count = before(j) - before(i);
      const unsigned width = WidthOf(groups[j - 1].high - groups[i].low);
      const uint64_t cost = costs[i] + count * (log_size - Log2(count) + 256 * uint64_t{width}) +
                            BinCost(groups + i, i == 0, width);
      if (cost >= costs[j]) continue;
      costs[j] = cost;
      begins[j] = static_cast<uint8_t>(i);
    }
  }
  uint8_t ends[kBinsMax];
  BinPlan plan;
  for (size_t j = group_count; j > 0; j = begins[j]) ends[plan.count++] = static_cast<uint8_t>(j);
  std::reverse(ends, ends + plan.count);

  uint64_t lowers[kBinsMax + 1];  // Less the least value.
  for (size_t j = 0, begin = 0; j < plan.count; begin = ends[j++]) {
    const uint64_t low = groups[begin].low;
    const uint64_t high = groups[ends[j] - 1].high;
    unsigned width = WidthOf(high - low);
    lowers[j] = low;
    if (j > 0)
      lowers[j] =
          BeginningAfter(lowers[j - 1], plan.bins[j - 1].width, groups[begin - 1].high, low, high, &width);
    plan.bins[j].lower = lowers[j] + static_cast<uint64_t>(sorted.min);
    plan.bins[j].width = static_cast<uint8_t>(width);
  }

  uint32_t counts[kBinsMax];
  uint64_t offset_bits = 0;
  size_t counted = 0;
  for (size_t j = 0; j < plan.count; ++j) {
    const size_t end =
        j + 1 == plan.count
            ? size
            : static_cast<size_t>(std::lower_bound(sorted.keys, sorted.keys + size, lowers[j + 1]) -
                                  sorted.keys);
    counts[j] = static_cast<uint32_t>(end - counted);
    counted = end;
    plan.bins[j].frequency = static_cast<int8_t>(FrequencyOf(counts[j]));
    offset_bits += uint64_t{counts[j]} * plan.bins[j].width;
  }
  uint64_t table_bits_all = 17;
  for (size_t j = 1; j < plan.count; ++j) table_bits_all += BitsOf(plan.bins[j - 1], plan.bins[j]);

  uint64_t best = std::numeric_limits<uint64_t>::max();
  for (unsigned table_bits = kTableBitsMin; table_bits <= kTableBitsMax; ++table_bits) {
    Weights weights;
    if (plan.count > size_t{1} << table_bits || !SpreadWeights(plan, table_bits, &weights)) continue;
    uint64_t cost = 4 * 256 * uint64_t{table_bits};
    for (size_t j = 0; j < plan.count; ++j) cost += counts[j] * (256 * table_bits - Log2(weights[j]));
    // Twice as many states must be worth laying them out.
    if (cost + cost / 256 >= best) continue;
    best = cost;
    plan.table_bits = table_bits;
  }
  plan.bytes = (best / 256 + offset_bits + table_bits_all) / 8 + 4;
  return plan;
}

uint8_t* PutBinned(const uint64_t* values, size_t size, const BinPlan& plan, uint8_t* out) {
  const unsigned table_bits = plan.table_bits;
  Weights weights;
  SpreadWeights(plan, table_bits, &weights);
  uint32_t firsts[kBinsMax + 1];  // Of each bin in the list of slots by bin.
  firsts[0] = 0;
  for (size_t j = 0; j < plan.count; ++j) firsts[j + 1] = firsts[j] + weights[j];
  // The decoder numbers the slots of a bin in the order of the table.
  uint8_t bin_of_slot[1 << kTableBitsMax];
  LayOut(plan.count, weights, table_bits,
         [&](size_t j, uint32_t slot) { bin_of_slot[slot] = static_cast<uint8_t>(j); });
  uint16_t slots[1 << kTableBitsMax];
  uint32_t next[kBinsMax];
  std::copy_n(firsts, plan.count, next);
  for (uint32_t slot = 0; slot < uint32_t{1} << table_bits; ++slot) {
    slots[next[bin_of_slot[slot]]++] = static_cast<uint16_t>(slot);
  }

  // Which bin each value is in: the last that begins at it or lower.
  const uint64_t base = plan.bins[0].lower;
  uint8_t* bins = ThreadScratch<Owner, 2, uint8_t>(size);
  const Bin& last = plan.bins[plan.count - 1];
  if (last.lower - base < kCountedSpanMax) {
    uint8_t bin_of[kCountedSpanMax + 1];
    const uint64_t span = last.lower - base;
    for (size_t j = 0; j + 1 < plan.count; ++j) {
      std::fill(bin_of + (plan.bins[j].lower - base), bin_of + (plan.bins[j + 1].lower - base),
                static_cast<uint8_t>(j));
    }
    bin_of[span] = static_cast<uint8_t>(plan.count - 1);
    for (size_t i = 0; i < size; ++i) bins[i] = bin_of[std::min(values[i] - base, span)];
  } else {
    uint64_t lowers[kBinsMax];
    std::fill_n(lowers, kBinsMax, ~uint64_t{0});
    for (size_t j = 0; j < plan.count; ++j) lowers[j] = plan.bins[j].lower - base;
    for (size_t i = 0; i < size; ++i) {
      const uint64_t key = values[i] - base;
      size_t j = 0;
      for (size_t half = kBinsMax / 2; half > 0; half /= 2) j += lowers[j + half] <= key ? half : 0;
      bins[i] = static_cast<uint8_t>(std::min(j, plan.count - 1));
    }
  }

  // The coder runs from the last value to the first; the bits are written the other way round.
  uint32_t* codes = ThreadScratch<Owner, 3, uint32_t>(size);  // Bits x 16 + how many.
  uint32_t states[kStates];
  for (size_t i = size; i-- > 0;) {
    const uint32_t j = bins[i];
    uint32_t& state = states[i % kStates];
    if (i + kStates >= size) {  // Nothing follows it: any of the bin's states.
      state = slots[firsts[j]];
      codes[i] = 0;
      continue;
    }
    const uint32_t whole = state + (uint32_t{1} << table_bits);
    unsigned width = table_bits + 1 - WidthOf(weights[j]);
    if (whole >> width < weights[j]) --width;
    codes[i] = static_cast<uint32_t>(LowBits(whole, width)) << 4 | width;
    state = slots[firsts[j] + (whole >> width) - weights[j]];
  }

  uint8_t* const begin = ThreadScratch<Owner, 4, uint8_t>(BinnedBytesMax(size));
  BitWriter bits(begin);
  bits.Put(table_bits, 4);
  bits.Put(plan.count - 1, 6);
  for (size_t j = 0; j < plan.count; ++j) {
    const Bin& bin = plan.bins[j];
    const Bin before = j > 0 ? plan.bins[j - 1] : Bin();
    if (j == 0) {
      bits.Put(bin.width, 7);
      continue;
    }
    const bool adjacent = AreAdjacent(before, bin);
    const bool alike = adjacent && bin.width == before.width;
    bits.Put(alike, 1);
    if (!alike) {
      bits.Put(adjacent, 1);
      if (!adjacent) {
        const Gap gap = GapOf(bin.lower - before.lower - 1);
        bits.Put(gap.shift, 6);
        const unsigned digits = WidthOf(gap.digits);
        bits.PutGamma(digits);
        if (digits > 1) bits.PutLong(gap.digits & ~(uint64_t{1} << (digits - 1)), digits - 1);
      }
      bits.PutGamma(WidthCode(before, bin));
    }
    bits.PutGamma(FrequencyCode(before, bin));
  }
  for (size_t i = 0; i < std::min(size, kStates); ++i) bits.Put(states[i], table_bits);
  for (size_t i = 0; i < size; ++i) {
    const Bin& bin = plan.bins[bins[i]];
    bits.PutLong(values[i] - bin.lower, bin.width);
    bits.Put(codes[i] >> 4, codes[i] & 15);
  }
  const size_t bytes = static_cast<size_t>(bits.End() - begin);
  out = PutSignedVarint(out, base);
  out = PutVarint(out, bytes);
  std::memcpy(out, begin, bytes);
  return out + bytes;
}

namespace {

// What a state says: a value's bin, and where the next state lies.
struct Entry {
  uint64_t lower;
  uint8_t width;       // Of the offset.
  uint8_t next_width;  // Bits to add to `next`.
  uint8_t both_widths;
  uint16_t next;
};

// Reads bins into plan, checked; false when damaged.
bool GetPlan(uint64_t lower, size_t limit, BitReader* bits, BinPlan* plan) {
  plan->table_bits = static_cast<unsigned>(bits->Get(4));
  if (plan->table_bits < kTableBitsMin || plan->table_bits > kTableBitsMax) return false;
  plan->count = bits->Get(6) + 1;
  if (plan->count > size_t{1} << plan->table_bits) return false;
  Bin bin;
  int64_t frequency = 0;
  for (size_t j = 0; j < plan->count; ++j) {
    if (bits->position() > limit) return false;
    const bool alike = j > 0 && bits->Get(1) != 0;
    if (alike || (j > 0 && bits->Get(1) != 0)) {
      if (bin.width == 64) return false;
      lower += uint64_t{1} << bin.width;
    } else if (j > 0) {
      const unsigned shift = static_cast<unsigned>(bits->Get(6));
      uint64_t digits;
      if (!bits->GetGamma(&digits) || digits > 64) return false;
      uint64_t gap = 0;
      if (digits > 0) {
        const unsigned low = static_cast<unsigned>(digits) - 1;
        gap = uint64_t{1} << low | bits->GetLong(low);
      }
      lower += 1 + (gap << shift);
    }
    bin.lower = lower;
    if (j == 0) {
      bin.width = static_cast<uint8_t>(bits->Get(7));
    } else if (!alike) {
      uint64_t change;
      if (!bits->GetGamma(&change) || change > 128) return false;
      bin.width = static_cast<uint8_t>(bin.width + UnZigZag(change));
    }
    if (bin.width > 64) return false;
    if (j > 0) {
      uint64_t change;
      if (!bits->GetGamma(&change)) return false;
      frequency += static_cast<int64_t>(UnZigZag(change));
      if (frequency < -kFrequencySpanMax || frequency > kFrequencySpanMax) return false;
    }
    bin.frequency = static_cast<int8_t>(frequency);
    plan->bins[j] = bin;
  }
  return true;
}

// False when the bits end before the values. All but the last kStates values; `bits` has room to read 4
// values too far.
template <bool kShort>
__attribute__((always_inline)) inline bool GetAll(const Entry* table, size_t size, size_t limit,
                                                  uint32_t* states, BitReader* all, uint64_t* values) {
  BitReader bits = *all;  // Here, so that it stays in registers.
  const size_t last = size > kStates ? size - kStates : 0;
  const auto get = [&](uint32_t * state, uint64_t * value) __attribute__((always_inline)) {
    const Entry& e = table[*state];
    if constexpr (kShort) {
      const uint64_t word = bits.Peek();
      *value = e.lower + LowBits(word, e.width);
      *state = e.next + static_cast<uint32_t>(LowBits(word >> e.width, e.next_width));
      bits.Skip(e.both_widths);
    } else {
      *value = e.lower + bits.GetLong(e.width);
      *state = e.next + static_cast<uint32_t>(bits.Get(e.next_width));
    }
  };
  uint32_t s0 = states[0], s1 = states[1], s2 = states[2], s3 = states[3];
  size_t i = 0;
  for (; i + kStates <= last; i += kStates) {
    get(&s0, values + i);
    get(&s1, values + i + 1);
    get(&s2, values + i + 2);
    get(&s3, values + i + 3);
    if (bits.position() > limit) return false;
  }
  states[0] = s0, states[1] = s1, states[2] = s2, states[3] = s3;
  for (; i < last; ++i) get(&states[i % kStates], values + i);
  for (; i < size; ++i) {
    const Entry& e = table[states[i % kStates]];
    values[i] = e.lower + bits.GetLong(e.width);
  }
  *all = bits;
  return bits.position() <= limit;
}

bool GetShort(const Entry* table, size_t size, size_t limit, uint32_t* states, BitReader* bits,
              uint64_t* values) {
  return GetAll<true>(table, size, limit, states, bits, values);
}
HISTORIAN_BMI2 bool GetShortBmi2(const Entry* table, size_t size, size_t limit, uint32_t* states,
                                 BitReader* bits, uint64_t* values) {
  return GetAll<true>(table, size, limit, states, bits, values);
}
bool GetLong(const Entry* table, size_t size, size_t limit, uint32_t* states, BitReader* bits,
             uint64_t* values) {
  return GetAll<false>(table, size, limit, states, bits, values);
}

}  // namespace

absl::Status GetBinned(ByteReader* in, size_t size, uint64_t* values) {
  uint64_t lower, bytes;
  absl::string_view string;
  if (!in->SignedVarint(&lower) || !in->Varint(&bytes) || !in->Bytes(bytes, &string)) {
    return Damaged("integer column: binned values are cut short");
  }
  // A value has at most 64 + kTableBitsMax bits; limits are looked at every 4 values, and for every bin.
  constexpr size_t kPadding = 64;
  uint8_t* padded = ThreadScratch<Owner, 5, uint8_t>(bytes + kPadding);
  std::memcpy(padded, string.data(), bytes);
  std::memset(padded + bytes, 0, kPadding);
  const size_t limit = bytes * 8;
  BitReader bits(padded);
  BinPlan plan;
  Weights weights;
  if (!GetPlan(lower, limit, &bits, &plan) || !SpreadWeights(plan, plan.table_bits, &weights)) {
    return Damaged("integer column: bins are damaged");
  }

  uint8_t bin_of_slot[1 << kTableBitsMax];
  LayOut(plan.count, weights, plan.table_bits,
         [&](size_t j, uint32_t slot) { bin_of_slot[slot] = static_cast<uint8_t>(j); });
  Entry table[1 << kTableBitsMax];
  const uint32_t table_size = uint32_t{1} << plan.table_bits;
  unsigned widest = 0;
  for (size_t j = 0; j < plan.count; ++j) widest = std::max<unsigned>(widest, plan.bins[j].width);
  for (uint32_t slot = 0; slot < table_size; ++slot) {
    const uint8_t j = bin_of_slot[slot];
    const uint32_t x = weights[j]++;
    const unsigned next_width = plan.table_bits + 1 - WidthOf(x);
    table[slot] = {plan.bins[j].lower, plan.bins[j].width, static_cast<uint8_t>(next_width),
                   static_cast<uint8_t>(plan.bins[j].width + next_width),
                   static_cast<uint16_t>((x << next_width) - table_size)};
  }

  uint32_t states[kStates] = {};
  for (size_t i = 0; i < std::min(size, kStates); ++i) {
    states[i] = static_cast<uint32_t>(bits.Get(plan.table_bits));
  }
  if (bits.position() > limit) return Damaged("integer column: binned values are cut short");
  const auto get = widest + kTableBitsMax > kBitsAtOnce ? GetLong : HasBmi2() ? GetShortBmi2 : GetShort;
  const bool whole = get(table, size, limit, states, &bits, values);
  if (!whole || (bits.position() + 7) / 8 != bytes) {
    return Damaged("integer column: binned values are cut short or too long");
  }
  return absl::OkStatus();
}

}  // namespace historian::format
