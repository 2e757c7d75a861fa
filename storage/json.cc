// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/json.h"

#include <set>
#include <vector>

namespace longtake {
namespace {

// The library builds the tree; this only watches it grow and stops it at the first offence.
class Watcher {
 public:
  bool operator()(int depth, Json::parse_event_t event, Json& value) {
    if (!fault_.empty()) return false;
    switch (event) {
      case Json::parse_event_t::object_start:
        keys_.emplace_back();
        CheckDepth(depth);
        break;
      case Json::parse_event_t::array_start:
        CheckDepth(depth);
        break;
      case Json::parse_event_t::object_end:
        keys_.pop_back();
        break;
      case Json::parse_event_t::key: {
        const std::string& key = value.get_ref<const std::string&>();
        if (!keys_.back().insert(key).second) fault_ = "key \"" + key + "\" twice in one object";
        break;
      }
      default:
        break;
    }
    return fault_.empty();
  }

  const std::string& fault() const { return fault_; }

 private:
  void CheckDepth(int depth) {
    if (depth >= kJsonDepthMax) {
      fault_ = "nested deeper than " + std::to_string(kJsonDepthMax) + " levels";
    }
  }

  std::vector<std::set<std::string>> keys_;  // of the objects being parsed, outermost first
  std::string fault_;
};

}  // namespace

bool IsJsonText(std::string_view text) { return text.find('\0') == std::string_view::npos; }

absl::StatusOr<Json> ParseJson(std::string_view text, const std::string& what) {
  if (!IsJsonText(text)) return absl::InvalidArgumentError(what + ": not valid JSON");
  Watcher watcher;
  const auto watch = [&watcher](int depth, Json::parse_event_t event, Json& value) {
    return watcher(depth, event, value);
  };
  Json json = Json::parse(text, watch, /*allow_exceptions=*/false);
  if (!watcher.fault().empty()) return absl::InvalidArgumentError(what + ": " + watcher.fault());
  if (json.is_discarded()) return absl::InvalidArgumentError(what + ": not valid JSON");
  return json;
}

std::string DumpJson(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<std::string> JsonString(const Json& object, const char* field,
                                       const std::string& what) {
  if (!object.is_object() || !object.contains(field) || !object[field].is_string()) {
    return absl::InvalidArgumentError(what + ": no text field \"" + field + "\"");
  }
  return object[field].get<std::string>();
}

absl::StatusOr<uint64_t> JsonU64(const Json& object, const char* field, const std::string& what) {
  if (!object.is_object() || !object.contains(field) || !object[field].is_number_unsigned()) {
    return absl::InvalidArgumentError(what + ": no whole-number field \"" + field + "\"");
  }
  return object[field].get<uint64_t>();
}

}  // namespace longtake
