#include "storage/format/time_column.h"

#include "storage/model/samples.h"

namespace historian::format {

uint8_t* EncodeTime(Timestamp time, uint8_t* out) {
  unsigned scale = 0;
  while (scale < 9 && time % 1000 == 0) {
    time /= 1000;
    scale += 3;
  }
  return PutScaled(out, static_cast<uint64_t>(time), scale);
}

bool DecodeTime(ByteReader* in, Timestamp* time) {
  uint64_t t;
  unsigned scale;
  if (!in->Scaled(&t, &scale)) return false;
  for (; scale > 0; --scale) t *= 10;
  *time = static_cast<Timestamp>(t);
  return true;
}

uint8_t* EncodeTimes(const Timestamp* times, size_t size, Density density, uint8_t* out) {
  out = EncodeTime(times[0], out);
  if (size == 1) return out;
  return EncodeIntegers(reinterpret_cast<const uint64_t*>(times), size, static_cast<uint64_t>(times[0]), true,
                        density, out);
}

absl::Status DecodeTimes(ByteReader* in, size_t size, Timestamp* times) {
  if (!DecodeTime(in, &times[0])) return absl::DataLossError("time column: the first time is cut short");
  if (size == 1) return absl::OkStatus();
  if (absl::Status s =
          DecodeIntegers(in, size, static_cast<uint64_t>(times[0]), reinterpret_cast<uint64_t*>(times));
      !s.ok()) {
    return s;
  }
  if (!IsStrictlyAscending(times, size)) return absl::DataLossError("time column: times do not rise");
  return absl::OkStatus();
}

}  // namespace historian::format
