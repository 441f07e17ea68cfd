#include "server/request_seeds.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/descriptor.h"
#include "proto/historian/v1/admin.pb.h"
#include "proto/historian/v1/backup.pb.h"
#include "proto/historian/v1/ingest.pb.h"
#include "proto/historian/v1/query.pb.h"
#include "proto/historian/v1/retention.pb.h"
#include "proto/historian/v1/tags.pb.h"

namespace historian::server {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::MessageFactory;

// Of 2025-11-14, as a time and for whatever else has 64 bits.
constexpr int64_t kSome = 1'763'078'400'000'000'000;

void Fill(Message* message, bool extreme, int depth);

void FillField(Message* message, const FieldDescriptor* field, bool extreme, int depth) {
  const auto* to = message->GetReflection();
  const int times = field->is_repeated() ? 2 : 1;
  for (int i = 0; i < times; ++i) {
    const bool add = field->is_repeated();
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (depth < 4) {
          Fill(add ? to->AddMessage(message, field) : to->MutableMessage(message, field), extreme, depth + 1);
        }
        break;
      case FieldDescriptor::CPPTYPE_STRING: {
        const std::string text = extreme ? std::string(40, '*') : absl::StrCat("tag", i);
        add ? to->AddString(message, field, text) : to->SetString(message, field, text);
        break;
      }
      case FieldDescriptor::CPPTYPE_UINT32: {
        const uint32_t number = extreme ? UINT32_MAX : static_cast<uint32_t>(1 + i);
        add ? to->AddUInt32(message, field, number) : to->SetUInt32(message, field, number);
        break;
      }
      case FieldDescriptor::CPPTYPE_INT32: {
        const int32_t number = extreme ? INT32_MIN : 2867 + i;
        add ? to->AddInt32(message, field, number) : to->SetInt32(message, field, number);
        break;
      }
      case FieldDescriptor::CPPTYPE_UINT64: {
        const uint64_t number = extreme ? UINT64_MAX : static_cast<uint64_t>(1 + i);
        add ? to->AddUInt64(message, field, number) : to->SetUInt64(message, field, number);
        break;
      }
      case FieldDescriptor::CPPTYPE_INT64: {
        const int64_t number = extreme ? INT64_MIN : kSome + i;
        add ? to->AddInt64(message, field, number) : to->SetInt64(message, field, number);
        break;
      }
      case FieldDescriptor::CPPTYPE_DOUBLE:
        add ? to->AddDouble(message, field, 1.5) : to->SetDouble(message, field, 1.5);
        break;
      case FieldDescriptor::CPPTYPE_FLOAT:
        add ? to->AddFloat(message, field, 1.5F) : to->SetFloat(message, field, 1.5F);
        break;
      case FieldDescriptor::CPPTYPE_BOOL:
        add ? to->AddBool(message, field, true) : to->SetBool(message, field, true);
        break;
      case FieldDescriptor::CPPTYPE_ENUM: {
        const int number = extreme ? 99 : 1 + i;
        add ? to->AddEnumValue(message, field, number) : to->SetEnumValue(message, field, number);
        break;
      }
    }
  }
}

// Of a oneof the first field stays.
void Fill(Message* message, bool extreme, int depth) {
  const auto* type = message->GetDescriptor();
  for (int i = 0; i < type->field_count(); ++i) {
    const FieldDescriptor* const field = type->field(i);
    if (field->containing_oneof() != nullptr &&
        message->GetReflection()->HasOneof(*message, field->containing_oneof())) {
      continue;
    }
    FillField(message, field, extreme, depth);
  }
}

// Which chance would hardly find: intervals by calendars and rolling windows that are answered.
std::vector<std::string> CalendarSeeds() {
  v1::ReadProcessedRequest request;
  request.mutable_tags()->add_ids(1);
  request.set_start(kSome);
  request.set_end(kSome + int64_t{30} * 86'400 * 1'000'000'000);
  request.add_aggregates(v1::AGGREGATE_AVERAGE);
  std::vector<std::string> seeds;
  for (int unit = v1::Calendar::UNIT_MINUTE; unit <= v1::Calendar::UNIT_YEAR; ++unit) {
    v1::ReadProcessedRequest by_clock = request;
    v1::Calendar& calendar = *by_clock.mutable_calendar();
    calendar.set_zone(unit % 2 == 0 ? "Europe/Berlin" : "Asia/Kathmandu");
    calendar.set_unit(static_cast<v1::Calendar::Unit>(unit));
    calendar.set_count(unit == v1::Calendar::UNIT_MINUTE ? 30 : 1);
    calendar.set_day_begins(360);
    by_clock.set_window(static_cast<uint32_t>(unit % 3));
    seeds.push_back(by_clock.SerializeAsString());
  }
  v1::ReadProcessedRequest by_shift = request;
  v1::Calendar& calendar = *by_shift.mutable_calendar();
  calendar.set_zone("Europe/Berlin");
  calendar.set_unit(v1::Calendar::UNIT_SHIFT);
  calendar.set_count(1);
  calendar.set_first_day("2025-11-10");
  for (int day = 0; day < 3; ++day) {
    v1::Calendar::ShiftDay* const shifts = calendar.add_shift_plan();
    for (int shift = 0; shift < day; ++shift) {
      shifts->add_shifts()->set_begins(static_cast<uint32_t>(360 + 480 * shift));
      shifts->mutable_shifts(shift)->set_name(absl::StrCat("shift", shift));
    }
  }
  seeds.push_back(by_shift.SerializeAsString());
  request.set_interval_ns(uint64_t{3600} * 1'000'000'000);
  request.set_window(24);
  seeds.push_back(request.SerializeAsString());
  return seeds;
}

}  // namespace

const std::vector<RequestType>& Requests() {
  static const std::vector<RequestType>& requests = *[] {
    auto* all = new std::vector<RequestType>;
    for (const google::protobuf::FileDescriptor* file :
         {v1::WriteRequest::descriptor()->file(), v1::GetTagsRequest::descriptor()->file(),
          v1::ReadRawRequest::descriptor()->file(), v1::GetStatusRequest::descriptor()->file(),
          v1::ListRulesRequest::descriptor()->file(), v1::CreateBackupRequest::descriptor()->file()}) {
      for (int s = 0; s < file->service_count(); ++s) {
        for (int m = 0; m < file->service(s)->method_count(); ++m) {
          const auto* method = file->service(s)->method(m);
          all->push_back(
              {.method = absl::StrCat("/", file->service(s)->full_name(), "/", method->name()),
               .prototype = MessageFactory::generated_factory()->GetPrototype(method->input_type())});
        }
      }
    }
    return all;
  }();
  return requests;
}

std::vector<std::string> SeedsOf(const RequestType& request) {
  std::vector<std::string> seeds = {""};
  for (const bool extreme : {false, true}) {
    const std::unique_ptr<Message> all(request.prototype->New());
    Fill(all.get(), extreme, 0);
    seeds.push_back(all->SerializeAsString());
    const auto* type = request.prototype->GetDescriptor();
    for (int i = 0; i < type->field_count(); ++i) {
      const std::unique_ptr<Message> one(request.prototype->New());
      FillField(one.get(), type->field(i), extreme, 0);
      seeds.push_back(one->SerializeAsString());
    }
  }
  if (request.prototype->GetDescriptor() == v1::ReadProcessedRequest::descriptor()) {
    for (std::string& seed : CalendarSeeds()) seeds.push_back(std::move(seed));
  }
  return seeds;
}

}  // namespace historian::server
