// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/safetensors_set.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "storage/json.h"

namespace longtake {
namespace {

constexpr uint64_t kIndexBytesMax = 64ull << 20;
constexpr std::string_view kSingleSuffix = ".safetensors";
constexpr std::string_view kIndexSuffix = ".safetensors.index.json";
constexpr std::string_view kDefaultStems[] = {"diffusion_pytorch_model", "model"};

// The default name among the candidates, or the only candidate; nullopt when there is no choice.
std::optional<std::string> Choose(const std::vector<std::string>& candidates,
                                  std::string_view suffix) {
  for (std::string_view stem : kDefaultStems) {
    const std::string name = std::string(stem) + std::string(suffix);
    if (std::find(candidates.begin(), candidates.end(), name) != candidates.end()) return name;
  }
  if (candidates.size() == 1) return candidates[0];
  return std::nullopt;
}

bool IsPlainFileName(const std::string& name) {
  return !name.empty() && name.front() != '.' && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

}  // namespace

absl::StatusOr<SafetensorsSet> SafetensorsSet::Open(FileSystem& files,
                                                    const std::string& directory) {
  LT_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(directory));
  std::vector<std::string> singles, indexes;
  for (const std::string& name : names) {
    if (name.ends_with(kIndexSuffix)) indexes.push_back(name);
    if (name.ends_with(kSingleSuffix)) singles.push_back(name);
  }
  SafetensorsSet set;
  set.directory_ = directory;
  // An index names its shards, which are candidates too, so it goes first.
  if (const auto index = Choose(indexes, kIndexSuffix)) {
    LT_RETURN_IF_ERROR(set.OpenIndexed(files, *index));
    return set;
  }
  if (!indexes.empty()) {
    return absl::InvalidArgumentError(directory + ": more than one " + std::string(kIndexSuffix));
  }
  if (const auto single = Choose(singles, kSingleSuffix)) {
    LT_RETURN_IF_ERROR(set.OpenSingle(files, *single));
    return set;
  }
  if (singles.empty()) return absl::NotFoundError(directory + ": no .safetensors file");
  return absl::InvalidArgumentError(directory +
                                    ": several .safetensors files and no index that joins them");
}

absl::Status SafetensorsSet::OpenSingle(FileSystem& files, const std::string& file_name) {
  LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file,
                      files.OpenRead(JoinPath(directory_, file_name), ReadMode::kBuffered));
  LT_ASSIGN_OR_RETURN(Safetensors shard, Safetensors::Open(std::move(file)));
  for (size_t i = 0; i < shard.entries().size(); ++i) {
    places_[shard.entries()[i].name] = {.shard = 0, .entry = i};
  }
  shards_.push_back(std::move(shard));
  return absl::OkStatus();
}

absl::Status SafetensorsSet::OpenIndexed(FileSystem& files, const std::string& index_name) {
  const std::string path = JoinPath(directory_, index_name);
  LT_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(files, path, kIndexBytesMax));
  LT_ASSIGN_OR_RETURN(const Json index, ParseJson(text, path));
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    return absl::InvalidArgumentError(path + ": no weight_map object");
  }
  std::map<std::string, size_t> shard_of;  // file name -> index in shards_
  for (const auto& [tensor, value] : index["weight_map"].items()) {
    const std::string what = path + ": tensor \"" + tensor + "\"";
    if (!value.is_string() || !IsPlainFileName(value.get_ref<const std::string&>())) {
      return absl::InvalidArgumentError(what + ": its file is not a plain file name");
    }
    const auto& file_name = value.get_ref<const std::string&>();
    if (!shard_of.contains(file_name)) {
      absl::StatusOr<std::unique_ptr<File>> file =
          files.OpenRead(JoinPath(directory_, file_name), ReadMode::kBuffered);
      if (!file.ok()) return Annotate(file.status(), what);
      LT_ASSIGN_OR_RETURN(Safetensors shard, Safetensors::Open(*std::move(file)));
      shard_of[file_name] = shards_.size();
      shards_.push_back(std::move(shard));
    }
    const size_t shard = shard_of[file_name];
    const SafetensorsEntry* entry = shards_[shard].Find(tensor);
    if (entry == nullptr) return absl::InvalidArgumentError(what + ": not in " + file_name);
    places_[tensor] = {.shard = shard,
                       .entry = static_cast<size_t>(entry - shards_[shard].entries().data())};
  }
  return absl::OkStatus();
}

std::vector<std::string> SafetensorsSet::Names() const {
  std::vector<std::string> names;
  names.reserve(places_.size());
  for (const auto& [name, place] : places_) names.push_back(name);
  return names;
}

absl::StatusOr<const SafetensorsEntry*> SafetensorsSet::Find(const std::string& name) const {
  const auto at = places_.find(name);
  if (at == places_.end()) {
    return absl::NotFoundError(directory_ + ": no tensor \"" + name + "\"");
  }
  return &shards_[at->second.shard].entries()[at->second.entry];
}

absl::Status SafetensorsSet::Read(const std::string& name, uint64_t offset,
                                  std::span<std::byte> out) const {
  LT_ASSIGN_OR_RETURN(const SafetensorsEntry* entry, Find(name));
  return shards_[places_.at(name).shard].Read(*entry, offset, out);
}

}  // namespace longtake
