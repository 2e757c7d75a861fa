// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/safetensors/safetensors_writer.h"

#include <array>

#include "base/checked.h"
#include "storage/json.h"

namespace longtake {
namespace {

// Header text padded with spaces so that the data starts at a multiple of eight.
absl::StatusOr<std::string> HeaderText(std::span<const TensorDecl> tensors,
                                       const std::map<std::string, std::string>& metadata,
                                       uint64_t& data_bytes) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  data_bytes = 0;
  for (const TensorDecl& tensor : tensors) {
    const std::string what = "tensor \"" + tensor.name + "\"";
    if (header.contains(tensor.name)) return absl::InvalidArgumentError(what + ": given twice");
    LT_ASSIGN_OR_RETURN(const uint64_t bytes, TensorBytes(tensor.dtype, tensor.shape, what));
    const std::optional<uint64_t> end = CheckedAdd(data_bytes, bytes);
    if (!end) return absl::InvalidArgumentError(what + ": size overflows 64 bits");
    header[tensor.name] = {{"dtype", DTypeName(tensor.dtype)},
                           {"shape", tensor.shape},
                           {"data_offsets", {data_bytes, *end}}};
    data_bytes = *end;
  }
  std::string text = DumpJson(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

SafetensorsWriter::SafetensorsWriter(Key, FileSystem& files, std::string path)
    : files_(files), path_(std::move(path)) {}

SafetensorsWriter::~SafetensorsWriter() {
  if (file_ != nullptr) files_.Remove(file_->path()).IgnoreError();
}

absl::StatusOr<std::unique_ptr<SafetensorsWriter>> SafetensorsWriter::Create(
    FileSystem& files, const std::string& path, std::span<const TensorDecl> tensors,
    const std::map<std::string, std::string>& metadata) {
  uint64_t data_bytes = 0;
  const absl::StatusOr<std::string> text = HeaderText(tensors, metadata, data_bytes);
  if (!text.ok()) return Annotate(text.status(), path);
  auto writer = std::make_unique<SafetensorsWriter>(Key(), files, path);
  LT_ASSIGN_OR_RETURN(writer->file_, files.CreateTemporary(path));
  std::array<std::byte, 8> length;
  for (size_t i = 0; i < length.size(); ++i) {
    length[i] = static_cast<std::byte>(uint64_t{text->size()} >> (8 * i));
  }
  LT_RETURN_IF_ERROR(writer->file_->WriteAt(0, length));
  LT_RETURN_IF_ERROR(writer->file_->WriteAt(length.size(), std::as_bytes(std::span(*text))));
  writer->position_ = length.size() + text->size();
  writer->end_ = writer->position_ + data_bytes;
  return writer;
}

absl::Status SafetensorsWriter::Append(std::span<const std::byte> bytes) {
  if (bytes.size() > end_ - position_) {
    return absl::OutOfRangeError(path_ + ": more bytes than the declared tensors hold");
  }
  LT_RETURN_IF_ERROR(file_->WriteAt(position_, bytes));
  position_ += bytes.size();
  return absl::OkStatus();
}

absl::Status SafetensorsWriter::Finish() {
  if (position_ != end_) {
    return absl::FailedPreconditionError(path_ + ": " + std::to_string(end_ - position_) +
                                         " declared bytes were not written");
  }
  LT_RETURN_IF_ERROR(file_->Sync());
  LT_RETURN_IF_ERROR(files_.Rename(file_->path(), path_));
  file_.reset();
  return files_.SyncDir(DirName(path_));
}

}  // namespace longtake
