#include "server/message_memory.h"

#include <algorithm>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/message.h"
#include "google/protobuf/wire_format_lite.h"
#include "server/slice_stream.h"

namespace historian::server {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// Arrays double when they are full, and an arena keeps those before: half of it is empty, and as much was left behind.
constexpr uint64_t kGrowth = 4;
// A text that comes in pieces grows likewise, and takes nothing of an arena.
constexpr uint64_t kTextGrowth = 2;
// The allocator's own, for each thing.
constexpr uint64_t kOverhead = 16;
constexpr uint64_t kStringBytes = sizeof(std::string) + kOverhead + kGrowth * sizeof(void*);
// A field that the type does not have, or has otherwise, is kept too; so is all that is in a group of them.
constexpr uint64_t kUnknownBytes = 64;
constexpr uint64_t kUnknownOfGroupByte = 32;

// A type's fields, as far as memory is concerned.
struct Shape {
  struct Field {
    enum class Kind { kNumber, kText, kMessage } kind = Kind::kNumber;
    bool repeated = false;
    WireFormatLite::WireType wire = WireFormatLite::WIRETYPE_VARINT;
    uint32_t element_bytes = 0;  // In memory, and, unless it is a varint, on the wire.
    const Shape* message = nullptr;
  };
  uint64_t object_bytes = 0;
  // The most that a byte on the wire takes in a message of this type, at whatever depth.
  uint64_t bytes_per_byte = 0;
  uint64_t part_bytes_max = kStringBytes;  // What one more part of it takes while it is empty.
  absl::flat_hash_map<int, Field> fields;
};

// The most that a byte on the wire takes in such a field, whose tag has one byte at least, and its length another.
uint64_t BytesPerByte(const Shape::Field& field) {
  switch (field.kind) {
    case Shape::Field::Kind::kText:
      return kStringBytes / 2 + kTextGrowth;
    case Shape::Field::Kind::kMessage:
      return std::max(field.message->object_bytes / 2, field.message->bytes_per_byte);
    case Shape::Field::Kind::kNumber:
      break;
  }
  // Packed: a varint may have one byte.
  const uint64_t on_wire = field.wire == WireFormatLite::WIRETYPE_VARINT ? 1 : field.element_bytes;
  return field.repeated ? kGrowth * field.element_bytes / on_wire : 0;
}

class Shapes {
 public:
  const Shape& Of(const Descriptor* type) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return *Find(type);
  }

 private:
  const Shape* Find(const Descriptor* type) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    std::unique_ptr<Shape>& slot = shapes_[type];
    if (slot != nullptr) return slot.get();
    slot = std::make_unique<Shape>();
    Shape* const shape = slot.get();  // Before others are made, which may move the slot.
    shape->object_bytes =
        google::protobuf::MessageFactory::generated_factory()->GetPrototype(type)->SpaceUsedLong() +
        kOverhead + kGrowth * sizeof(void*);
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* const from = type->field(i);
      Shape::Field field{.repeated = from->is_repeated()};
      switch (from->cpp_type()) {
        case FieldDescriptor::CPPTYPE_MESSAGE:
          field.kind = Shape::Field::Kind::kMessage;
          field.message = Find(from->message_type());
          shape->part_bytes_max = std::max(shape->part_bytes_max, field.message->object_bytes);
          break;
        case FieldDescriptor::CPPTYPE_STRING:
          field.kind = Shape::Field::Kind::kText;
          break;
        case FieldDescriptor::CPPTYPE_BOOL:
          field.element_bytes = 1;
          break;
        case FieldDescriptor::CPPTYPE_DOUBLE:
        case FieldDescriptor::CPPTYPE_INT64:
        case FieldDescriptor::CPPTYPE_UINT64:
          field.element_bytes = 8;
          break;
        default:
          field.element_bytes = 4;
      }
      field.wire = WireFormatLite::WireTypeForFieldType(static_cast<WireFormatLite::FieldType>(from->type()));
      shape->fields[from->number()] = field;
      shape->bytes_per_byte = std::max(shape->bytes_per_byte, BytesPerByte(field));
    }
    shape->bytes_per_byte = std::max(shape->bytes_per_byte, kUnknownBytes / 2 + kUnknownOfGroupByte);
    return shape;
  }

  absl::Mutex mu_;
  absl::flat_hash_map<const Descriptor*, std::unique_ptr<Shape>> shapes_ ABSL_GUARDED_BY(mu_);
};

// Elements of an array of varints: each ends with a byte below 128.
uint64_t CountVarints(CodedInputStream* in, int length) {
  uint64_t count = 0;
  while (length > 0) {
    const void* data = nullptr;
    int size = 0;
    if (!in->GetDirectBufferPointer(&data, &size)) return count;
    size = std::min(size, length);
    const auto* bytes = static_cast<const signed char*>(data);
    uint64_t ends = 0;
    for (int i = 0; i < size; ++i) ends += bytes[i] >= 0;
    count += ends;
    in->Skip(size);
    length -= size;
  }
  return count;
}

class Counter {
 public:
  Counter(CodedInputStream* in, int bytes, uint64_t enough) : in_(in), bytes_(bytes), enough_(enough) {}

  // False at the first thing that is wrong, or when it is enough.
  bool Count(const Shape& shape) {
    size_.bytes += shape.object_bytes;
    ++size_.messages;
    begun_ = &shape;
    while (const uint32_t tag = in_->ReadTag()) {
      if (size_.bytes >= enough_) return false;
      const auto found = shape.fields.find(WireFormatLite::GetTagFieldNumber(tag));
      if (found == shape.fields.end() || !CountField(tag, shape, found->second)) {
        if (!CountUnknown(tag)) return false;
      }
      if (failed_) return false;
    }
    // Else it ends within a tag.
    size_.malformed |= !in_->ConsumedEntireMessage();
    return !size_.malformed;
  }

  // Where the bytes end too soon or are wrong, a parser has made one part more than can be seen: it makes what it is to
  // read first, and looks at the end afterwards.
  ParsedSize size() const {
    ParsedSize size = size_;
    if (begun_ != nullptr) size.bytes += begun_->part_bytes_max;
    return size;
  }

 private:
  // False when the tag is not one that the field may have: then nothing was read.
  bool CountField(uint32_t tag, const Shape& shape, const Shape::Field& field) {
    const auto wire = WireFormatLite::GetTagWireType(tag);
    const bool packed = field.kind == Shape::Field::Kind::kNumber && field.repeated &&
                        wire == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
    if (wire != field.wire && !packed) return false;
    if (field.kind == Shape::Field::Kind::kNumber && !packed) {
      if (field.repeated) AddElements(1, field);
      failed_ = !WireFormatLite::SkipField(in_, tag);
      size_.malformed |= failed_;
      return true;
    }
    int length = 0;
    const bool is_there = in_->ReadVarintSizeAsInt(&length);
    const int limit_bytes = in_->BytesUntilLimit();  // Of the message that is being read; -1 for the whole.
    if (!is_there || length > (limit_bytes < 0 ? bytes_ - in_->CurrentPosition() : limit_bytes)) {
      size_.malformed = true;
      failed_ = true;
      return true;
    }
    if (field.kind == Shape::Field::Kind::kText) {
      size_.bytes += kStringBytes + kTextGrowth * static_cast<uint64_t>(length);
      failed_ = !in_->Skip(length);
    } else if (field.kind == Shape::Field::Kind::kMessage) {
      const auto [limit, depth] = in_->IncrementRecursionDepthAndPushLimit(length);
      failed_ = depth < 0 || !Count(*field.message);
      if (!failed_) begun_ = &shape;
      failed_ = failed_ || !in_->DecrementRecursionDepthAndPopLimit(limit);
    } else if (field.wire == WireFormatLite::WIRETYPE_VARINT) {
      AddElements(CountVarints(in_, length), field);
    } else {
      AddElements(length / field.element_bytes, field);
      failed_ = !in_->Skip(length);
    }
    return true;
  }

  bool CountUnknown(uint32_t tag) {
    const int before = in_->CurrentPosition();
    const bool good = WireFormatLite::SkipField(in_, tag);
    const uint64_t length = in_->CurrentPosition() - before;
    size_.malformed |= !good;
    const bool group = WireFormatLite::GetTagWireType(tag) == WireFormatLite::WIRETYPE_START_GROUP;
    size_.bytes += kUnknownBytes + length * (group ? kUnknownOfGroupByte : kTextGrowth);
    return good;
  }

  void AddElements(uint64_t count, const Shape::Field& field) {
    size_.elements += count;
    size_.bytes += kGrowth * field.element_bytes * count;
  }

  CodedInputStream* const in_;
  const int bytes_;  // All there are.
  const uint64_t enough_;
  ParsedSize size_;
  const Shape* begun_ = nullptr;  // The message in which the last part is.
  bool failed_ = false;
};

const Shape& ShapeOf(const Descriptor* type) {
  static Shapes& shapes = *new Shapes;
  return shapes.Of(type);
}

}  // namespace

ParsedSize MostWhenParsed(uint64_t length, const Descriptor* type) {
  const Shape& shape = ShapeOf(type);
  return {.bytes = shape.object_bytes + length * shape.bytes_per_byte,
          .messages = 1 + length / 2,
          .elements = length};
}

ParsedSize SizeWhenParsed(const grpc::ByteBuffer& bytes, const Descriptor* type, uint64_t enough) {
  SliceStream stream(bytes);
  if (!stream.ok()) return {};
  CodedInputStream in(&stream);
  Counter counter(&in, static_cast<int>(bytes.Length()), enough);
  counter.Count(ShapeOf(type));
  return counter.size();
}

}  // namespace historian::server
