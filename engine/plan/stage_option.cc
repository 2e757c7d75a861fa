// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/plan/stage_option.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/units.h"

namespace longtake {
namespace {

constexpr uint64_t kReplicasMax = 16;
constexpr uint64_t kLayersMax = 1 << 16;  // of any model
constexpr char kCpu[] = "cpu:";
constexpr char kFields[] = "device, replica, layers, memory and path";

absl::Status StageError(size_t stage, const std::string& field, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("stage ", stage, ": ", field, ": ", why));
}

// What was read so far.
struct Draft {
  std::optional<CoreSet> cores;
  StageOption stage = {.cores = CoreSet::Allowed()};
  std::set<std::string> seen;
};

absl::Status ReadDevice(const std::string& value, Draft& draft) {
  if (!absl::StartsWith(value, kCpu)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", value, "\" is no device; there is cpu:CORES, as in cpu:0-3"));
  }
  LT_ASSIGN_OR_RETURN(draft.cores, CoreSet::Parse(value.substr(sizeof(kCpu) - 1)));
  return absl::OkStatus();
}

absl::Status ReadLayers(const std::string& value, Draft& draft) {
  if (value == "auto") return absl::OkStatus();
  const std::pair<std::string, std::string> ends = absl::StrSplit(value, absl::MaxSplits('-', 1));
  const auto first = ParseCountIn(ends.first, 0, kLayersMax);
  const auto last =
      value.find('-') == std::string::npos ? first : ParseCountIn(ends.second, 0, kLayersMax);
  if (!first.ok() || !last.ok() || *last < *first) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", value, "\" is neither auto nor layers, as in 0-19"));
  }
  draft.stage.layers = {.first = static_cast<int64_t>(*first),
                        .end = static_cast<int64_t>(*last) + 1};
  return absl::OkStatus();
}

absl::Status ReadField(const std::string& field, const std::string& value, Draft& draft) {
  if (field == "device") return ReadDevice(value, draft);
  if (field == "layers") return ReadLayers(value, draft);
  if (field == "replica") {
    LT_ASSIGN_OR_RETURN(draft.stage.replica, ParseCountIn(value, 0, kReplicasMax - 1));
  } else if (field == "memory") {
    LT_ASSIGN_OR_RETURN(draft.stage.memory_bytes, ParseBytes(value));
  } else if (value.empty()) {
    return absl::InvalidArgumentError("is empty");
  } else {
    draft.stage.layer_paths.push_back(value);
  }
  return absl::OkStatus();
}

absl::StatusOr<StageOption> ParseStage(size_t number, const std::string& text) {
  Draft draft;
  for (const std::string& part : std::vector<std::string>(absl::StrSplit(text, ','))) {
    const std::pair<std::string, std::string> entry = absl::StrSplit(part, absl::MaxSplits('=', 1));
    const auto& [field, value] = entry;
    const bool known = field == "device" || field == "replica" || field == "layers" ||
                       field == "memory" || field == "path";
    if (!known || part.find('=') == std::string::npos) {
      return StageError(number, part,
                        absl::StrCat("is no field and its value; there are ", kFields));
    }
    if (field != "path" && !draft.seen.insert(field).second) {
      return StageError(number, field, "is given twice");
    }
    if (const absl::Status read = ReadField(field, value, draft); !read.ok()) {
      return StageError(number, field, std::string(read.message()));
    }
  }
  if (!draft.cores.has_value()) {
    return StageError(number, "device", "is missing; cpu:0-3 is the first four cores");
  }
  draft.stage.cores = *std::move(draft.cores);
  return std::move(draft.stage);
}

// The stages of one replica, by their numbers.
using Replica = std::vector<size_t>;

absl::StatusOr<std::vector<Replica>> GroupReplicas(std::span<const StageOption> stages) {
  std::vector<Replica> out;
  for (size_t i = 0; i < stages.size(); ++i) {
    if (stages[i].replica > out.size()) {
      return StageError(i, "replica",
                        absl::StrCat(stages[i].replica, " comes before replica ", out.size()));
    }
    if (stages[i].replica == out.size()) out.emplace_back();
    out[stages[i].replica].push_back(i);
  }
  return out;
}

absl::Status DealEvenly(const Replica& replica, int64_t layer_count, std::vector<LayerRange>& out) {
  const int64_t count = std::ssize(replica);
  if (count > layer_count) {
    return StageError(replica[static_cast<size_t>(layer_count)], "layers",
                      absl::StrCat("none are left of the model's ", layer_count));
  }
  int64_t next = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t share = layer_count / count + (i < layer_count % count ? 1 : 0);
    out[replica[static_cast<size_t>(i)]] = {.first = next, .end = next + share};
    next += share;
  }
  return absl::OkStatus();
}

absl::Status TakeAsWritten(std::span<const StageOption> stages, const Replica& replica,
                           int64_t layer_count, std::vector<LayerRange>& out) {
  int64_t next = 0;
  for (const size_t i : replica) {
    if (!stages[i].layers.has_value()) {
      return StageError(i, "layers", "are auto, while another stage of the replica has its own");
    }
    const LayerRange& layers = *stages[i].layers;
    if (layers.end > layer_count) {
      return StageError(i, "layers", absl::StrCat("the model's last is ", layer_count - 1));
    }
    if (layers.first != next) {
      return StageError(i, "layers",
                        absl::StrCat("begin with ", layers.first, ", but ", next,
                                     " is the first that no stage before it has"));
    }
    out[i] = layers;
    next = layers.end;
  }
  if (next == layer_count) return absl::OkStatus();
  return StageError(
      replica.back(), "layers",
      absl::StrCat("end with ", next - 1, ", but the model's last is ", layer_count - 1));
}

}  // namespace

absl::StatusOr<std::vector<StageOption>> ParseStages(std::span<const std::string> texts) {
  std::vector<StageOption> out;
  for (size_t i = 0; i < texts.size(); ++i) {
    LT_ASSIGN_OR_RETURN(StageOption stage, ParseStage(i, texts[i]));
    out.push_back(std::move(stage));
  }
  return out;
}

bool HaveCoresApart(std::span<const StageOption> stages) {
  for (size_t i = 0; i < stages.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (stages[i].cores.Overlaps(stages[j].cores)) return false;
    }
  }
  return true;
}

absl::StatusOr<std::vector<LayerRange>> DealLayers(std::span<const StageOption> stages,
                                                   int64_t layer_count) {
  std::vector<LayerRange> out(stages.size());
  LT_ASSIGN_OR_RETURN(const std::vector<Replica> replicas, GroupReplicas(stages));
  for (const Replica& replica : replicas) {
    const bool all_auto = std::none_of(replica.begin(), replica.end(),
                                       [&](size_t i) { return stages[i].layers.has_value(); });
    LT_RETURN_IF_ERROR(all_auto ? DealEvenly(replica, layer_count, out)
                                : TakeAsWritten(stages, replica, layer_count, out));
  }
  return out;
}

}  // namespace longtake
