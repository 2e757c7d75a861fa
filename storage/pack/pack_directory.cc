// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/pack/pack_directory.h"

#include <algorithm>
#include <utility>

#include "storage/json.h"
#include "storage/pack/pack_verify.h"

namespace longtake {
namespace {

constexpr uint64_t kManifestBytesMax = 16ull << 20;
constexpr uint64_t kTokenizerBytesMax = 256ull << 20;
constexpr char kFormatName[] = "longtake-pack-directory";
constexpr uint64_t kFormatVersion = 1;

using Packs = std::map<std::string, std::unique_ptr<PackReader>>;

// Names become file names, so they must not lead anywhere else.
bool IsPlainName(const std::string& name) {
  return !name.empty() && name.front() != '.' && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

std::string DigestOf(const Packs& packs, const std::string& recipe, const std::string& tokenizer) {
  Sha256 digest;
  digest.Update("longtake model digest 1\n");
  digest.UpdateU64(packs.size());
  for (const auto& [name, pack] : packs) {
    digest.UpdateU64(name.size());
    digest.Update(name);
    pack->AddToDigest(digest);
  }
  digest.UpdateU64(recipe.size());
  digest.Update(recipe);
  digest.UpdateU64(tokenizer.size());
  digest.Update(tokenizer);
  return digest.FinishHex();
}

std::string Sha256Hex(const std::string& text) {
  Sha256 digest;
  digest.Update(text);
  return digest.FinishHex();
}

absl::Status OpenPack(FileSystem& files, const std::string& directory, const std::string& name,
                      std::span<const std::string> layer_paths, Packs& packs) {
  if (!IsPlainName(name)) {
    return absl::InvalidArgumentError(directory + ": bad component name \"" + name + "\"");
  }
  const std::string path = JoinPath(directory, PackFileName(name));
  LT_ASSIGN_OR_RETURN(std::unique_ptr<PackReader> pack, PackReader::Open(files, path, layer_paths));
  if (pack->component() != name) {
    return absl::InvalidArgumentError(path + ": holds component \"" + pack->component() + "\"");
  }
  packs[name] = std::move(pack);
  return absl::OkStatus();
}

// Mistaken most often for what a pack is made of.
absl::Status NoPack(FileSystem& files, const std::string& directory) {
  const bool is_model = files.Size(JoinPath(directory, "model_index.json")).ok();
  return absl::NotFoundError(directory + ": is no pack, it has no " + kPackManifestName +
                             (is_model ? "; it is a model as published: longtake-pack pack makes a "
                                         "pack of it"
                                       : ""));
}

absl::StatusOr<Json> ReadManifest(FileSystem& files, const std::string& directory) {
  const std::string path = JoinPath(directory, kPackManifestName);
  const auto read = ReadTextFile(files, path, kManifestBytesMax);
  if (absl::IsNotFound(read.status())) return NoPack(files, directory);
  LT_ASSIGN_OR_RETURN(const std::string& text, read);
  LT_ASSIGN_OR_RETURN(Json manifest, ParseJson(text, path));
  LT_ASSIGN_OR_RETURN(const std::string format, JsonString(manifest, "format", path));
  LT_ASSIGN_OR_RETURN(const uint64_t version, JsonU64(manifest, "version", path));
  if (format != kFormatName || version != kFormatVersion) {
    return absl::InvalidArgumentError(path + ": not a " + kFormatName + " of version 1");
  }
  return manifest;
}

}  // namespace

std::string PackFileName(const std::string& component) { return component + ".pack"; }

absl::StatusOr<PackDirectory> PackDirectory::Open(FileSystem& files, const std::string& directory,
                                                  std::span<const std::string> layer_paths) {
  const std::string path = JoinPath(directory, kPackManifestName);
  LT_ASSIGN_OR_RETURN(const Json manifest, ReadManifest(files, directory));
  PackDirectory out;
  out.directory_ = directory;
  LT_ASSIGN_OR_RETURN(out.model_digest_, JsonString(manifest, "model_digest", path));
  LT_ASSIGN_OR_RETURN(out.recipe_, JsonString(manifest, "recipe", path));
  if (!manifest.contains("components") || !manifest["components"].is_array()) {
    return absl::InvalidArgumentError(path + ": no list \"components\"");
  }
  for (const Json& item : manifest["components"]) {
    if (!item.is_string()) return absl::InvalidArgumentError(path + ": a component is no text");
    LT_RETURN_IF_ERROR(
        OpenPack(files, directory, item.get<std::string>(), layer_paths, out.packs_));
  }
  if (manifest.contains("tokenizer")) {
    const Json& tokenizer = manifest["tokenizer"];
    LT_ASSIGN_OR_RETURN(out.tokenizer_name_, JsonString(tokenizer, "file", path));
    LT_ASSIGN_OR_RETURN(const std::string sha256, JsonString(tokenizer, "sha256", path));
    if (!IsPlainName(out.tokenizer_name_)) {
      return absl::InvalidArgumentError(path + ": tokenizer: not a plain file name");
    }
    const std::string tokenizer_path = JoinPath(directory, out.tokenizer_name_);
    LT_ASSIGN_OR_RETURN(out.tokenizer_, ReadTextFile(files, tokenizer_path, kTokenizerBytesMax));
    if (Sha256Hex(out.tokenizer_) != sha256) {
      return absl::DataLossError(tokenizer_path + ": SHA-256 differs from the manifest's");
    }
  }
  if (DigestOf(out.packs_, out.recipe_, out.tokenizer_) != out.model_digest_) {
    return absl::DataLossError(directory + ": the model digest differs from the manifest's; its " +
                               "files do not belong together or are damaged");
  }
  return out;
}

std::vector<std::string> PackDirectory::Components() const {
  std::vector<std::string> names;
  for (const auto& [name, pack] : packs_) names.push_back(name);
  return names;
}

absl::StatusOr<const PackReader*> PackDirectory::Component(const std::string& component) const {
  const auto at = packs_.find(component);
  if (at == packs_.end()) {
    return absl::NotFoundError(directory_ + ": no component \"" + component + "\"");
  }
  return at->second.get();
}

absl::Status BeginPackDirectory(FileSystem& files, const std::string& directory) {
  LT_RETURN_IF_ERROR(files.MakeDir(directory));
  const absl::Status removed = files.Remove(JoinPath(directory, kPackManifestName));
  if (absl::IsNotFound(removed)) return absl::OkStatus();
  LT_RETURN_IF_ERROR(removed);
  return files.SyncDir(directory);
}

absl::StatusOr<std::string> FinishPackDirectory(FileSystem& files, const std::string& directory,
                                                const PackDirectorySpec& spec) {
  LT_RETURN_IF_ERROR(ParseJson(spec.recipe, directory + ": recipe"));
  Packs packs;
  for (const std::string& name : spec.components) {
    LT_RETURN_IF_ERROR(OpenPack(files, directory, name, {}, packs));
  }
  Json components = Json::array();
  for (const auto& [name, pack] : packs) components.push_back(name);
  Json manifest = {{"format", kFormatName},
                   {"version", kFormatVersion},
                   {"components", std::move(components)},
                   {"recipe", spec.recipe}};
  if (!spec.tokenizer_name.empty()) {
    if (!IsPlainName(spec.tokenizer_name)) {
      return absl::InvalidArgumentError("tokenizer_name: not a plain file name");
    }
    LT_RETURN_IF_ERROR(WriteFileAtomically(files, JoinPath(directory, spec.tokenizer_name),
                                           std::as_bytes(std::span(spec.tokenizer))));
    manifest["tokenizer"] = {{"file", spec.tokenizer_name}, {"sha256", Sha256Hex(spec.tokenizer)}};
  }
  const std::string& tokenizer = spec.tokenizer_name.empty() ? std::string() : spec.tokenizer;
  std::string digest = DigestOf(packs, spec.recipe, tokenizer);
  manifest["model_digest"] = digest;
  const std::string text = manifest.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  LT_RETURN_IF_ERROR(WriteFileAtomically(files, JoinPath(directory, kPackManifestName),
                                         std::as_bytes(std::span(text))));
  return digest;
}

absl::Status VerifyPackDirectory(FileSystem& files, const std::string& directory,
                                 const PackProgress& progress,
                                 std::span<const std::string> layer_paths) {
  LT_ASSIGN_OR_RETURN(const PackDirectory packed,
                      PackDirectory::Open(files, directory, layer_paths));
  struct Wanted {
    std::string path;
    std::optional<LayerShare> share;
    uint64_t bytes = 0;
  };
  std::vector<Wanted> wanted;
  uint64_t total_bytes = 0;
  for (const std::string& name : packed.Components()) {
    LT_ASSIGN_OR_RETURN(const PackReader* pack, packed.Component(name));
    wanted.push_back({pack->path(), std::nullopt, pack->header().payload_bytes});
    for (size_t i = 0; i < pack->layer_files().size(); ++i) {
      const std::string& file = pack->layer_files()[i];
      const LayerShare share = {.path = i, .paths = layer_paths.size()};
      if (file != pack->path()) wanted.push_back({file, share, pack->header().payload_bytes});
    }
  }
  for (const Wanted& file : wanted) total_bytes += file.bytes;
  uint64_t before_bytes = 0;
  for (const Wanted& file : wanted) {
    const PackProgress overall = [&](uint64_t done_bytes, uint64_t) {
      if (progress) progress(before_bytes + done_bytes, total_bytes);
    };
    LT_RETURN_IF_ERROR(VerifyPack(files, file.path, overall, file.share));
    before_bytes += file.bytes;
  }
  if (progress) progress(total_bytes, total_bytes);
  return absl::OkStatus();
}

}  // namespace longtake
