#include "storage/backup/s3_target.h"

#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "storage/backup/digest.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"

namespace historian::backup {
namespace {

namespace pt = boost::property_tree;

constexpr size_t kRangeBytes = size_t{8} << 20;
constexpr uint64_t kPartBytes = uint64_t{16} << 20;
constexpr uint64_t kPartsMax = 9000;  // The stores' limit is 10,000.
constexpr int kTries = 5;
constexpr long kConnectSeconds = 10;
// A request that moves nothing for so long has failed.
constexpr long kStallSeconds = 30;
constexpr char kLockName[] = "LOCK";
constexpr absl::Duration kRenew = absl::Minutes(2);
constexpr absl::Duration kLockLost = absl::Minutes(10);
constexpr size_t kErrorBytesMax = 64 << 10;

struct Answer {
  long code = 0;
  std::string body;
  std::map<std::string, std::string> headers;  // Names in lower case.
};

struct Request {
  const char* method = "GET";
  std::string key;  // With the prefix; empty: the bucket itself.
  // By names, which ascend: libcurl 7.88 signs the query as it stands in the address, and the store sorts it.
  std::vector<std::pair<std::string, std::string>> query;
  std::vector<std::string> headers;
  absl::string_view body;
};

size_t TakeBody(char* bytes, size_t size, size_t count, void* to) {
  static_cast<Answer*>(to)->body.append(bytes, size * count);
  return size * count;
}
size_t TakeHeader(char* bytes, size_t size, size_t count, void* to) {
  const absl::string_view line(bytes, size * count);
  if (const size_t colon = line.find(':'); colon != absl::string_view::npos) {
    static_cast<Answer*>(to)->headers[absl::AsciiStrToLower(line.substr(0, colon))] =
        std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return size * count;
}

void InitCurlOnce() { [[maybe_unused]] static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT); }

// What a document says at the place; empty if it is not there.
std::string At(const pt::ptree& tree, const char* place) { return tree.get<std::string>(place, ""); }

absl::StatusOr<pt::ptree> ParseXml(const std::string& text, const std::string& what) {
  pt::ptree tree;
  std::istringstream in(text);
  try {
    pt::read_xml(in, tree);
  } catch (const pt::xml_parser_error& error) {
    return absl::UnavailableError(absl::StrCat(what, ": the store's answer is not XML: ", error.message()));
  }
  return tree;
}

bool MayPass(const Answer& answer) {
  return answer.code == 408 || answer.code == 429 || answer.code == 500 || answer.code == 502 ||
         answer.code == 503 || answer.code == 504;
}

class S3Target final : public Target {
 public:
  explicit S3Target(S3Options options)
      : options_(std::move(options)),
        name_(absl::StrCat("s3://", options_.bucket, options_.prefix.empty() ? "" : "/", options_.prefix)) {
    InitCurlOnce();
  }

  const std::string& name() const override { return name_; }
  absl::Status Make() override { return absl::OkStatus(); }  // The bucket is made by whoever pays for it.
  absl::StatusOr<std::vector<StoredObject>> List(const std::string& prefix) override;
  absl::StatusOr<std::unique_ptr<ObjectReader>> Read(const std::string& name) override;
  absl::StatusOr<std::unique_ptr<ObjectWriter>> Write(const std::string& name, uint64_t size) override;
  bool needs_name() const override { return true; }
  absl::Status Remove(const std::string& name) override {
    return Do({.method = "DELETE", .key = KeyOf(name)}, absl::StrCat("removing ", name), {404}).status();
  }
  absl::Status Sweep() override;
  absl::StatusOr<std::unique_ptr<TargetLock>> Lock(const std::string& who) override;

 private:
  class RangeReader;
  class PartWriter;
  class LockObject;

  std::string KeyOf(const std::string& name) const {
    return options_.prefix.empty() ? name : absl::StrCat(options_.prefix, "/", name);
  }
  // Makes the request until it is answered. Codes from 400 on are errors, but for `fine`.
  absl::StatusOr<Answer> Do(const Request& request, const std::string& doing,
                            const std::vector<long>& fine = {});
  absl::StatusOr<Answer> DoOnce(const Request& request);
  absl::Status ErrorOf(const Answer& answer, const std::string& doing) const;

  const S3Options options_;
  const std::string name_;
};

absl::StatusOr<Answer> S3Target::DoOnce(const Request& request) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), &curl_easy_cleanup);
  if (curl == nullptr) return absl::ResourceExhaustedError("libcurl cannot begin");
  const auto escape = [&curl](const std::string& text) {
    char* const escaped = curl_easy_escape(curl.get(), text.c_str(), static_cast<int>(text.size()));
    const std::string result = escaped == nullptr ? "" : escaped;
    curl_free(escaped);
    return result;
  };
  std::string url =
      absl::StrCat(options_.endpoint, "/", options_.bucket, request.key.empty() ? "" : "/", request.key);
  for (size_t i = 0; i < request.query.size(); ++i) {
    absl::StrAppend(&url, i == 0 ? "?" : "&", request.query[i].first, "=", escape(request.query[i].second));
  }
  curl_slist* list = nullptr;
  const auto add = [&list](const std::string& header) { list = curl_slist_append(list, header.c_str()); };
  add(absl::StrCat("x-amz-content-sha256: ", DigestOf(request.body)));
  if (!options_.session_token.empty()) add(absl::StrCat("x-amz-security-token: ", options_.session_token));
  for (const std::string& header : request.headers) add(header);
  add("Expect:");
  if (!request.body.empty()) add("Content-Type: application/octet-stream");
  const std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(list, &curl_slist_free_all);

  Answer answer;
  const std::string signing = absl::StrCat("aws:amz:", options_.region, ":s3");
  const std::string user = absl::StrCat(options_.access_key, ":", options_.secret_key);
  char error[CURL_ERROR_SIZE] = "";
  const auto set = [&curl](CURLoption option, auto value) { curl_easy_setopt(curl.get(), option, value); };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_AWS_SIGV4, signing.c_str());
  set(CURLOPT_USERPWD, user.c_str());
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, kStallSeconds);
  set(CURLOPT_ERRORBUFFER, error);
  set(CURLOPT_WRITEFUNCTION, &TakeBody);
  set(CURLOPT_WRITEDATA, &answer);
  set(CURLOPT_HEADERFUNCTION, &TakeHeader);
  set(CURLOPT_HEADERDATA, &answer);
  const absl::string_view method = request.method;
  if (method == "PUT" || method == "POST") {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
  }
  if (method != "GET" && method != "POST") set(CURLOPT_CUSTOMREQUEST, request.method);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) {
    return absl::UnavailableError(error[0] != '\0' ? absl::string_view(error) : curl_easy_strerror(code));
  }
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &answer.code);
  return answer;
}

absl::Status S3Target::ErrorOf(const Answer& answer, const std::string& doing) const {
  std::string code, message;
  if (answer.body.size() <= kErrorBytesMax) {
    if (const absl::StatusOr<pt::ptree> tree = ParseXml(answer.body, doing); tree.ok()) {
      code = At(*tree, "Error.Code");
      message = At(*tree, "Error.Message");
    }
  }
  const std::string text = absl::StrCat(doing, " in ", name_, ": HTTP ", answer.code, code.empty() ? "" : " ",
                                        code, message.empty() ? "" : ": ", message);
  if (code == "QuotaExceeded" || code == "XMinioStorageFull" || answer.code == 507)
    return absl::ResourceExhaustedError(text);
  switch (answer.code) {
    case 401:
    case 403:
      return absl::PermissionDeniedError(text);
    case 404:
      return absl::NotFoundError(text);
    case 400:
    case 405:
    case 501:
      return absl::FailedPreconditionError(text);
    default:
      return absl::UnavailableError(text);
  }
}

absl::StatusOr<Answer> S3Target::Do(const Request& request, const std::string& doing,
                                    const std::vector<long>& fine) {
  absl::Duration pause = options_.pause;
  for (int tries = 1;; ++tries) {
    absl::StatusOr<Answer> answer = DoOnce(request);
    const bool may_pass = answer.ok() ? MayPass(*answer) : absl::IsUnavailable(answer.status());
    if (may_pass && tries < kTries) {
      absl::SleepFor(pause);
      pause *= 2;
      continue;
    }
    if (!answer.ok()) return Annotate(answer.status(), absl::StrCat(doing, " in ", name_));
    if (answer->code < 300 || std::find(fine.begin(), fine.end(), answer->code) != fine.end()) return answer;
    return ErrorOf(*answer, doing);
  }
}

absl::StatusOr<std::vector<StoredObject>> S3Target::List(const std::string& prefix) {
  std::vector<StoredObject> objects;
  const std::string key_prefix = KeyOf(prefix);
  const size_t cut = KeyOf("").size();
  std::string token;
  while (true) {
    Request request;
    if (!token.empty()) request.query.push_back({"continuation-token", token});
    request.query.push_back({"list-type", "2"});
    request.query.push_back({"prefix", key_prefix});
    ASSIGN_OR_RETURN(const Answer answer, Do(request, absl::StrCat("listing ", prefix)));
    ASSIGN_OR_RETURN(const pt::ptree tree, ParseXml(answer.body, "listing"));
    const pt::ptree none;
    for (const auto& [name, child] : tree.get_child("ListBucketResult", none)) {
      if (name != "Contents") continue;
      StoredObject object{.name = At(child, "Key")};
      if (object.name.size() <= cut || !absl::SimpleAtoi(At(child, "Size"), &object.size_bytes)) continue;
      object.name.erase(0, cut);
      if (object.name != kLockName) objects.push_back(std::move(object));
    }
    token = At(tree, "ListBucketResult.NextContinuationToken");
    if (At(tree, "ListBucketResult.IsTruncated") != "true" || token.empty()) break;
  }
  std::sort(objects.begin(), objects.end(),
            [](const StoredObject& a, const StoredObject& b) { return a.name < b.name; });
  return objects;
}

class S3Target::RangeReader final : public ObjectReader {
 public:
  RangeReader(S3Target& target, std::string name) : target_(target), name_(std::move(name)) {}

  absl::Status Fetch() {
    place_ = 0;
    bytes_.clear();
    if (at_end_) return absl::OkStatus();
    ASSIGN_OR_RETURN(
        Answer answer,
        target_.Do({.key = target_.KeyOf(name_),
                    .headers = {absl::StrCat("Range: bytes=", offset_, "-", offset_ + kRangeBytes - 1)}},
                   absl::StrCat("reading ", name_), {416}));
    if (answer.code == 416) {  // Behind the end: of an empty object that is the beginning.
      at_end_ = true;
      return absl::OkStatus();
    }
    // A store that knows no ranges gives the whole.
    at_end_ = answer.code == 200 || answer.body.size() < kRangeBytes;
    bytes_ = std::move(answer.body);
    offset_ += bytes_.size();
    return absl::OkStatus();
  }
  absl::StatusOr<std::string> Read(size_t size) override {
    std::string read;
    while (read.size() < size) {
      if (place_ == bytes_.size()) {
        if (at_end_) break;
        RETURN_IF_ERROR(Fetch());
        if (bytes_.empty()) break;
      }
      const size_t take = std::min(size - read.size(), bytes_.size() - place_);
      read.append(bytes_, place_, take);
      place_ += take;
    }
    return read;
  }

 private:
  S3Target& target_;
  const std::string name_;
  std::string bytes_;
  size_t place_ = 0;
  uint64_t offset_ = 0;
  bool at_end_ = false;
};

absl::StatusOr<std::unique_ptr<ObjectReader>> S3Target::Read(const std::string& name) {
  auto reader = std::make_unique<RangeReader>(*this, name);
  RETURN_IF_ERROR(reader->Fetch());
  return reader;
}

class S3Target::PartWriter final : public ObjectWriter {
 public:
  PartWriter(S3Target& target, std::string name, uint64_t size)
      : target_(target),
        name_(std::move(name)),
        key_(target.KeyOf(name_)),
        part_bytes_(std::max<uint64_t>(kPartBytes, size / kPartsMax + 1)) {}
  ~PartWriter() override {
    if (upload_.empty() || finished_) return;
    target_
        .Do({.method = "DELETE", .key = key_, .query = {{"uploadId", upload_}}},
            absl::StrCat("giving up ", name_), {404})
        .status()
        .IgnoreError();
  }

  absl::Status Append(absl::string_view bytes) override {
    while (!bytes.empty()) {
      if (bytes_.size() == part_bytes_) RETURN_IF_ERROR(UploadPart());
      const size_t take = std::min<uint64_t>(bytes.size(), part_bytes_ - bytes_.size());
      bytes_.append(bytes.data(), take);
      bytes.remove_prefix(take);
    }
    return absl::OkStatus();
  }

  absl::Status Finish(const std::string&) override {
    if (upload_.empty()) {
      RETURN_IF_ERROR(
          target_.Do({.method = "PUT", .key = key_, .body = bytes_}, absl::StrCat("writing ", name_))
              .status());
    } else {
      if (!bytes_.empty()) RETURN_IF_ERROR(UploadPart());
      std::string list = "<CompleteMultipartUpload>";
      for (size_t i = 0; i < tags_.size(); ++i) {
        absl::StrAppend(&list, "<Part><PartNumber>", i + 1, "</PartNumber><ETag>", tags_[i],
                        "</ETag></Part>");
      }
      absl::StrAppend(&list, "</CompleteMultipartUpload>");
      ASSIGN_OR_RETURN(
          const Answer answer,
          target_.Do({.method = "POST", .key = key_, .query = {{"uploadId", upload_}}, .body = list},
                     absl::StrCat("finishing ", name_)));
      // It may fail after it was answered with 200.
      if (absl::StrContains(answer.body, "<Error>"))
        return target_.ErrorOf(answer, absl::StrCat("finishing ", name_));
    }
    finished_ = true;
    return absl::OkStatus();
  }

 private:
  absl::Status UploadPart() {
    if (upload_.empty()) {
      ASSIGN_OR_RETURN(const Answer answer,
                       target_.Do({.method = "POST", .key = key_, .query = {{"uploads", ""}}},
                                  absl::StrCat("beginning ", name_)));
      ASSIGN_OR_RETURN(const pt::ptree tree, ParseXml(answer.body, absl::StrCat("beginning ", name_)));
      upload_ = At(tree, "InitiateMultipartUploadResult.UploadId");
      if (upload_.empty())
        return absl::UnavailableError(absl::StrCat("beginning ", name_, ": the store gave no upload id"));
    }
    ASSIGN_OR_RETURN(
        const Answer answer,
        target_.Do({.method = "PUT",
                    .key = key_,
                    .query = {{"partNumber", absl::StrCat(tags_.size() + 1)}, {"uploadId", upload_}},
                    .body = bytes_},
                   absl::StrCat("writing a part of ", name_)));
    const auto tag = answer.headers.find("etag");
    if (tag == answer.headers.end())
      return absl::UnavailableError(absl::StrCat("writing a part of ", name_, ": the store gave no ETag"));
    tags_.push_back(tag->second);
    bytes_.clear();
    return absl::OkStatus();
  }

  S3Target& target_;
  const std::string name_;
  const std::string key_;
  const uint64_t part_bytes_;
  std::string bytes_;
  std::string upload_;  // Its id; empty: all goes in one request.
  std::vector<std::string> tags_;
  bool finished_ = false;
};

absl::StatusOr<std::unique_ptr<ObjectWriter>> S3Target::Write(const std::string& name, uint64_t size) {
  return std::make_unique<PartWriter>(*this, name, size);
}

absl::Status S3Target::Sweep() {
  ASSIGN_OR_RETURN(const Answer answer,
                   Do({.query = {{"prefix", KeyOf("")}, {"uploads", ""}}}, "listing uploads"));
  ASSIGN_OR_RETURN(const pt::ptree tree, ParseXml(answer.body, "listing uploads"));
  const pt::ptree none;
  for (const auto& [name, child] : tree.get_child("ListMultipartUploadsResult", none)) {
    if (name != "Upload" || !absl::StartsWith(At(child, "Key"), KeyOf(""))) continue;
    RETURN_IF_ERROR(
        Do({.method = "DELETE", .key = At(child, "Key"), .query = {{"uploadId", At(child, "UploadId")}}},
           "giving up an upload", {404})
            .status());
  }
  return absl::OkStatus();
}

class S3Target::LockObject final : public TargetLock {
 public:
  LockObject(S3Target& target, std::string text) : target_(target), text_(std::move(text)) {
    renewing_ = std::thread([this] {
      absl::MutexLock lock(&mu_);
      while (!changed_.AwaitFor(&mu_, kRenew, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return ending_; })) {
        mu_.Unlock();
        target_.Put(kLockName, text_).IgnoreError();
        mu_.Lock();
      }
    });
  }
  ~LockObject() override {
    {
      absl::MutexLock lock(&mu_);
      ending_ = true;
      changed_.SignalAll();
    }
    renewing_.join();
    target_.Remove(kLockName).IgnoreError();
  }

 private:
  S3Target& target_;
  const std::string text_;
  absl::Mutex mu_;
  CondVar changed_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  std::thread renewing_;
};

absl::StatusOr<std::unique_ptr<TargetLock>> S3Target::Lock(const std::string& who) {
  const auto held_by = [this](absl::string_view text) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the repository ", name_, " is being changed by ", absl::string_view(text).substr(0, text.find('\n')),
        "; wait until that is done, or ", absl::FormatDuration(kLockLost), " if it is gone"));
  };
  ASSIGN_OR_RETURN(const Answer there, Do({.key = KeyOf(kLockName)}, "looking for the lock", {404}));
  Request put{.method = "PUT", .key = KeyOf(kLockName)};
  if (there.code == 404) {
    put.headers.push_back("If-None-Match: *");
  } else {
    // Both by the store's clock.
    absl::Time now, modified;
    std::string error;
    constexpr char kHttpTime[] = "%a, %d %b %Y %H:%M:%S GMT";
    const auto header = [&there](const char* name) {
      const auto found = there.headers.find(name);
      return found == there.headers.end() ? std::string() : found->second;
    };
    if (!absl::ParseTime(kHttpTime, header("date"), &now, &error) ||
        !absl::ParseTime(kHttpTime, header("last-modified"), &modified, &error) ||
        now - modified < kLockLost) {
      return held_by(there.body);
    }
  }
  std::random_device random;
  const std::string text = absl::StrCat(who, "\n", random(), random(), "\n");
  put.body = text;
  ASSIGN_OR_RETURN(Answer answer, Do(put, "taking the lock", {400, 409, 412, 501}));
  if (answer.code == 400 || answer.code == 501) {
    // It does not know the condition.
    put.headers.clear();
    ASSIGN_OR_RETURN(answer, Do(put, "taking the lock"));
  }
  ASSIGN_OR_RETURN(const std::string now_there, Get(kLockName, kErrorBytesMax));
  if (now_there != text) return held_by(now_there);
  return std::make_unique<LockObject>(*this, text);
}

bool IsName(absl::string_view text, absl::string_view more) {
  return std::all_of(text.begin(), text.end(), [more](char c) {
    return absl::ascii_isalnum(c) || absl::StrContains(more, absl::string_view(&c, 1));
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<Target>> NewS3Target(S3Options options) {
  if (options.region.empty()) return absl::InvalidArgumentError("the region of the S3 store is empty");
  if (options.endpoint.empty())
    options.endpoint = absl::StrCat("https://s3.", options.region, ".amazonaws.com");
  while (absl::EndsWith(options.endpoint, "/")) options.endpoint.pop_back();
  if (!absl::StartsWith(options.endpoint, "https://") && !absl::StartsWith(options.endpoint, "http://")) {
    return absl::InvalidArgumentError(absl::StrCat("the endpoint of the S3 store is '", options.endpoint,
                                                   "'; expected https://HOST[:PORT]"));
  }
  if (options.bucket.empty() || !IsName(options.bucket, ".-_") || !IsName(options.prefix, ".-_/") ||
      absl::StartsWith(options.prefix, "/") || absl::EndsWith(options.prefix, "/") ||
      absl::StrContains(options.prefix, "//")) {
    return absl::InvalidArgumentError(absl::StrCat("s3://", options.bucket, "/", options.prefix,
                                                   " is no bucket and prefix: expected letters, digits, '.', "
                                                   "'-' and '_', in the prefix with '/' between them"));
  }
  return std::make_unique<S3Target>(std::move(options));
}

absl::StatusOr<S3Options> S3OptionsOf(const std::string& name, const std::string& endpoint,
                                      const std::string& region, const std::string& credentials_file) {
  absl::string_view rest = name;
  if (!absl::ConsumePrefix(&rest, "s3://")) {
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' is not s3://BUCKET/PREFIX"));
  }
  S3Options options{.endpoint = endpoint, .region = region};
  const size_t slash = rest.find('/');
  options.bucket = std::string(rest.substr(0, slash));
  if (slash != absl::string_view::npos) options.prefix = std::string(rest.substr(slash + 1));
  while (absl::EndsWith(options.prefix, "/")) options.prefix.pop_back();
  if (!credentials_file.empty()) {
    std::ifstream in(credentials_file);
    if (!in) {
      return absl::FailedPreconditionError(
          absl::StrCat("the credentials of the S3 store cannot be read: ", credentials_file));
    }
    std::getline(in, options.access_key);
    std::getline(in, options.secret_key);
    std::getline(in, options.session_token);
  } else {
    const auto variable = [](const char* of) {
      const char* const value = std::getenv(of);
      return std::string(value == nullptr ? "" : value);
    };
    options.access_key = variable("AWS_ACCESS_KEY_ID");
    options.secret_key = variable("AWS_SECRET_ACCESS_KEY");
    options.session_token = variable("AWS_SESSION_TOKEN");
  }
  for (std::string* const text : {&options.access_key, &options.secret_key, &options.session_token})
    absl::StripAsciiWhitespace(text);
  if (options.access_key.empty() || options.secret_key.empty()) {
    return absl::FailedPreconditionError(
        credentials_file.empty()
            ? "there are no credentials for the S3 store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
              "or "
              "backup.s3_credentials"
            : absl::StrCat("the credentials of the S3 store are incomplete: ", credentials_file,
                           " has the access key in its first line and the secret key in its second"));
  }
  return options;
}

}  // namespace historian::backup
