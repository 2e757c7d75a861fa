// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "pack/model_files.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/git_lfs.h"
#include "engine/policy/recipe.h"

namespace longtake {
namespace {

constexpr uint64_t kRecipeBytesMax = 1 << 20;
constexpr uint64_t kTokenizerBytesMax = 64 << 20;
constexpr const char* kTokenizerNames[] = {"tokenizer.json", "spiece.model"};

bool IsOfAPack(const std::string& name) {
  const std::string whole = name.substr(0, name.find(kTemporaryInfix));
  if (whole == kPackManifestName || whole.ends_with(PackFileName(""))) return true;
  // What file managers and file systems leave.
  if (name.starts_with('.') || name == "lost+found") return true;
  return std::find(std::begin(kTokenizerNames), std::end(kTokenizerNames), whole) !=
         std::end(kTokenizerNames);
}

}  // namespace

absl::StatusOr<std::string> ReadModelFile(FileSystem& files, const std::string& path,
                                          uint64_t bytes_max) {
  LT_ASSIGN_OR_RETURN(std::string text, ReadTextFile(files, path, bytes_max));
  LT_RETURN_IF_ERROR(CheckIsNoLfsPointer(text, path));
  return text;
}

absl::StatusOr<std::string> ReadModelRecipe(FileSystem& files, const std::string& directory,
                                            const std::string& given) {
  std::string recipe = given;
  std::string where = "--recipe";
  if (recipe.empty()) {
    where = JoinPath(directory, "longtake.json");
    auto text = ReadModelFile(files, where, kRecipeBytesMax);
    if (absl::IsNotFound(text.status())) {
      return absl::NotFoundError(absl::StrCat(
          where, " is missing; give --recipe with a file or a name, such as self-forcing"));
    }
    LT_ASSIGN_OR_RETURN(recipe, text);
  }
  if (auto parsed = ParseRecipe(recipe); !parsed.ok()) return Annotate(parsed.status(), where);
  return recipe;
}

absl::Status CheckHoldsNoModel(FileSystem& files, const std::string& directory) {
  if (!files.Size(JoinPath(directory, "model_index.json")).ok()) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat(directory, " holds a published model; write to another directory"));
}

absl::Status CheckHoldsNothingElse(FileSystem& files, const std::string& directory) {
  const absl::StatusOr<std::vector<std::string>> names = files.List(directory);
  if (absl::IsNotFound(names.status())) return absl::OkStatus();
  LT_RETURN_IF_ERROR(names.status());
  if (std::find(names->begin(), names->end(), kPackManifestName) != names->end()) {
    return absl::OkStatus();
  }
  const auto other = std::find_if_not(names->begin(), names->end(), IsOfAPack);
  if (other == names->end()) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat(directory, " holds ", *other,
                                               " and is no pack; name a directory that is new or "
                                               "empty"));
}

absl::StatusOr<Tokenizer> ReadModelTokenizer(FileSystem& files, const std::string& directory,
                                             PackDirectorySpec* spec) {
  const std::string folder = JoinPath(directory, "tokenizer");
  for (const char* name : kTokenizerNames) {
    const std::string path = JoinPath(folder, name);
    auto text = ReadModelFile(files, path, kTokenizerBytesMax);
    if (absl::IsNotFound(text.status())) continue;
    LT_ASSIGN_OR_RETURN(spec->tokenizer, text);
    spec->tokenizer_name = name;
    auto tokenizer = ReadTokenizer(name, spec->tokenizer);
    if (!tokenizer.ok()) return Annotate(tokenizer.status(), path);
    return tokenizer;
  }
  return absl::NotFoundError(absl::StrCat(folder, ": neither tokenizer.json nor spiece.model"));
}

}  // namespace longtake
