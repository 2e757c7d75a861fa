// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "pack/model_files.h"

#include "absl/strings/str_cat.h"
#include "base/git_lfs.h"
#include "engine/policy/recipe.h"

namespace longtake {
namespace {

constexpr uint64_t kRecipeBytesMax = 1 << 20;
constexpr uint64_t kTokenizerBytesMax = 64 << 20;

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

absl::StatusOr<Tokenizer> ReadModelTokenizer(FileSystem& files, const std::string& directory,
                                             PackDirectorySpec* spec) {
  const std::string folder = JoinPath(directory, "tokenizer");
  for (const char* name : {"tokenizer.json", "spiece.model"}) {
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
