// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
//
// A packed model: one pack file per component, the tokenizer, and manifest.json, which holds the
// recipe and the model digest and is written last: without it, or with another digest than its
// parts give, there is no model. docs/formats.md has the fields.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/status_macros.h"
#include "storage/pack/pack_reader.h"
#include "storage/pack/pack_writer.h"

namespace longtake {

constexpr char kPackManifestName[] = "manifest.json";

// "transformer" -> "transformer.pack".
std::string PackFileName(const std::string& component);

class PackDirectory {
 public:
  // Opens all components, recomputes the digest and compares: DATA_LOSS when it differs,
  // INVALID_ARGUMENT naming the field when the manifest is not one. The file system must outlive
  // it. With layer_paths, the layers are those of twins there (PackReader::Open).
  static absl::StatusOr<PackDirectory> Open(FileSystem& files, const std::string& directory,
                                            std::span<const std::string> layer_paths = {});

  const std::string& directory() const { return directory_; }
  // 64 hexadecimal digits: SHA-256 over all components' headers and tables, tokenizer and recipe.
  const std::string& model_digest() const { return model_digest_; }
  const std::string& recipe() const { return recipe_; }  // JSON text, verbatim
  std::vector<std::string> Components() const;           // sorted
  bool Has(const std::string& component) const { return packs_.contains(component); }
  // NOT_FOUND naming the component. Lives as long as the directory object, moves included.
  absl::StatusOr<const PackReader*> Component(const std::string& component) const;
  // Empty when the model has none; otherwise its bytes, checked against the manifest at Open.
  const std::string& tokenizer_name() const { return tokenizer_name_; }
  const std::string& tokenizer() const { return tokenizer_; }

 private:
  std::string directory_;
  std::string model_digest_;
  std::string recipe_;
  std::string tokenizer_name_;
  std::string tokenizer_;
  std::map<std::string, std::unique_ptr<PackReader>> packs_;
};

// What FinishPackDirectory adds to the component packs that WritePack has already put there.
struct PackDirectorySpec {
  std::vector<std::string> components;
  std::string recipe;          // JSON text
  std::string tokenizer_name;  // plain file name such as "tokenizer.json"; empty: none
  std::string tokenizer;       // its bytes
};

// Call before the first WritePack into a directory: makes it, and removes an old manifest, so that
// a half-replaced model cannot be opened.
absl::Status BeginPackDirectory(FileSystem& files, const std::string& directory);
// Writes tokenizer and manifest; gives the model digest.
absl::StatusOr<std::string> FinishPackDirectory(FileSystem& files, const std::string& directory,
                                                const PackDirectorySpec& spec);

// Open, whose digest covers the rest, then VerifyPack over all components and their twins.
absl::Status VerifyPackDirectory(FileSystem& files, const std::string& directory,
                                 const PackProgress& progress,
                                 std::span<const std::string> layer_paths = {});

}  // namespace longtake
