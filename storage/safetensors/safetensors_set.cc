// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/safetensors/safetensors_set.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/git_lfs.h"
#include "storage/json.h"

namespace longtake {
namespace {

constexpr uint64_t kIndexBytesMax = 64ull << 20;
constexpr char kSingleSuffix[] = ".safetensors";
constexpr char kIndexSuffix[] = ".safetensors.index.json";
constexpr const char* kDefaultStems[] = {"diffusion_pytorch_model", "model"};

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// Which of the directory's files are meant: "model" for model.safetensors or its index. A default
// name that occurs, or the only one there is.
absl::StatusOr<std::string> ChooseStem(const std::string& directory,
                                       const std::vector<std::string>& singles,
                                       const std::vector<std::string>& indexes) {
  std::vector<std::string> stems;
  for (const char* stem : kDefaultStems) {
    if (Contains(singles, absl::StrCat(stem, kSingleSuffix)) ||
        Contains(indexes, absl::StrCat(stem, kIndexSuffix))) {
      stems.emplace_back(stem);
    }
  }
  if (stems.size() == 1) return stems[0];
  if (stems.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(directory, ": holds weights both as ", stems[0],
                                                   " and as ", stems[1],
                                                   "; remove those that are not meant"));
  }
  // An index names its shards, which are candidates too, so it goes first.
  const std::vector<std::string>& candidates = indexes.empty() ? singles : indexes;
  const std::string suffix = indexes.empty() ? kSingleSuffix : kIndexSuffix;
  if (candidates.empty()) return absl::NotFoundError(directory + ": no .safetensors file");
  if (candidates.size() == 1) return candidates[0].substr(0, candidates[0].size() - suffix.size());
  return absl::InvalidArgumentError(
      indexes.empty() ? directory + ": several .safetensors files and no index that joins them"
                      : absl::StrCat(directory, ": more than one ", kIndexSuffix));
}

// "model.safetensors" and "model-00001-of-00002.safetensors" for the stem "model", but not
// "model.fp16.safetensors", which is another precision of the same weights.
bool IsOfStem(const std::string& name, const std::string& stem) {
  if (name == stem + kSingleSuffix) return true;
  return name.starts_with(stem + "-") &&
         name.find('.', stem.size()) == name.size() - std::string(kSingleSuffix).size();
}

bool IsPlainFileName(const std::string& name) {
  return !name.empty() && name.front() != '.' && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

// The file of each tensor, as an index has it.
absl::StatusOr<std::map<std::string, std::string>> ReadIndex(FileSystem& files,
                                                             const std::string& path) {
  LT_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(files, path, kIndexBytesMax));
  LT_RETURN_IF_ERROR(CheckIsNoLfsPointer(text, path));
  LT_ASSIGN_OR_RETURN(const Json index, ParseJson(text, path));
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    return absl::InvalidArgumentError(path + ": no weight_map object");
  }
  std::map<std::string, std::string> file_of;
  for (const auto& [tensor, value] : index["weight_map"].items()) {
    if (!value.is_string() || !IsPlainFileName(value.get_ref<const std::string&>())) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": tensor \"", tensor, "\": its file is not a plain file name"));
    }
    file_of[tensor] = value.get<std::string>();
  }
  return file_of;
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
  LT_ASSIGN_OR_RETURN(const std::string stem, ChooseStem(directory, singles, indexes));
  SafetensorsSet set;
  set.directory_ = directory;
  const std::string index_name = absl::StrCat(stem, kIndexSuffix);
  std::set<std::string> wanted = {absl::StrCat(stem, kSingleSuffix)};
  std::map<std::string, std::string> file_of;
  const bool has_index = Contains(indexes, index_name);
  if (has_index) {
    set.files_.push_back(JoinPath(directory, index_name));
    LT_ASSIGN_OR_RETURN(file_of, ReadIndex(files, set.files_.front()));
    wanted.clear();
    for (const auto& [tensor, file] : file_of) wanted.insert(file);
  }
  for (const std::string& name : singles) {
    if (wanted.contains(name)) continue;
    if (!IsOfStem(name, stem)) {
      set.unread_files_.push_back(JoinPath(directory, name));
      continue;
    }
    return absl::InvalidArgumentError(
        absl::StrCat(directory, ": ", has_index ? index_name : *wanted.begin(), " lies beside ",
                     name, has_index ? ", which it does not name" : ", and no index joins them",
                     ": one of them is of another download; remove what is not meant"));
  }
  if (!has_index) {
    LT_RETURN_IF_ERROR(set.OpenSingle(files, *wanted.begin()));
  } else {
    LT_RETURN_IF_ERROR(set.OpenShards(files, file_of));
  }
  return set;
}

absl::Status SafetensorsSet::OpenShard(FileSystem& files, const std::string& file_name) {
  files_.push_back(JoinPath(directory_, file_name));
  LT_ASSIGN_OR_RETURN(std::unique_ptr<File> file,
                      files.OpenRead(files_.back(), ReadMode::kBuffered));
  LT_ASSIGN_OR_RETURN(Safetensors shard, Safetensors::Open(std::move(file)));
  shards_.push_back(std::move(shard));
  return absl::OkStatus();
}

absl::Status SafetensorsSet::OpenSingle(FileSystem& files, const std::string& file_name) {
  LT_RETURN_IF_ERROR(OpenShard(files, file_name));
  const std::vector<SafetensorsEntry>& entries = shards_.front().entries();
  for (size_t i = 0; i < entries.size(); ++i)
    locations_[entries[i].name] = {.shard = 0, .entry = i};
  return absl::OkStatus();
}

absl::Status SafetensorsSet::OpenShards(FileSystem& files,
                                        const std::map<std::string, std::string>& file_of) {
  std::map<std::string, size_t> shard_of;  // file name -> index in shards_
  for (const auto& [tensor, file_name] : file_of) {
    const std::string what = absl::StrCat(files_.front(), ": tensor \"", tensor, "\"");
    if (!shard_of.contains(file_name)) {
      LT_RETURN_IF_ERROR(Annotate(OpenShard(files, file_name), what));
      shard_of[file_name] = shards_.size() - 1;
    }
    const size_t shard = shard_of[file_name];
    const SafetensorsEntry* entry = shards_[shard].Find(tensor);
    if (entry == nullptr) return absl::InvalidArgumentError(what + ": not in " + file_name);
    locations_[tensor] = {.shard = shard,
                          .entry = static_cast<size_t>(entry - shards_[shard].entries().data())};
  }
  for (size_t i = 0; i < shards_.size(); ++i) {
    for (const SafetensorsEntry& entry : shards_[i].entries()) {
      const auto location = locations_.find(entry.name);
      if (location != locations_.end() && location->second.shard == i) continue;
      return absl::InvalidArgumentError(absl::StrCat(
          shards_[i].path(), ": tensor \"", entry.name, "\": ", files_.front(),
          location == locations_.end() ? " does not name it" : " takes it from another file",
          "; the index is of another download"));
    }
  }
  return absl::OkStatus();
}

std::vector<std::string> SafetensorsSet::Names() const {
  std::vector<std::string> names;
  names.reserve(locations_.size());
  for (const auto& [name, location] : locations_) names.push_back(name);
  return names;
}

absl::StatusOr<const SafetensorsEntry*> SafetensorsSet::Find(const std::string& name) const {
  const auto at = locations_.find(name);
  if (at == locations_.end()) {
    return absl::NotFoundError(directory_ + ": no tensor \"" + name + "\"");
  }
  return &shards_[at->second.shard].entries()[at->second.entry];
}

absl::Status SafetensorsSet::Read(const std::string& name, uint64_t offset,
                                  std::span<std::byte> out) const {
  LT_ASSIGN_OR_RETURN(const SafetensorsEntry* entry, Find(name));
  return shards_[locations_.at(name).shard].Read(*entry, offset, out);
}

}  // namespace longtake
