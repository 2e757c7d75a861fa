// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "pack/show.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/printable_text.h"
#include "storage/pack/pack_directory.h"

namespace longtake {
namespace {

double Megabytes(uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

std::string ShowComponent(const PackReader& pack) {
  uint64_t layer_bytes = 0;
  size_t part_count = 0;
  for (size_t layer = 0; layer < pack.layer_count(); ++layer) {
    for (const PartInfo& part : pack.layer(layer).parts) layer_bytes += part.bytes;
    part_count += pack.layer(layer).parts.size();
  }
  uint64_t row_bytes = 0;
  for (const RowTableInfo& table : pack.row_tables()) row_bytes += table.tensor.bytes;
  std::string out = absl::StrFormat("%-13s resident %10.2f MB", PrintableText(pack.component()),
                                    Megabytes(pack.resident().bytes));
  if (pack.layer_count() > 0) {
    const DType dtype = pack.layer(0).parts.front().tensors.front().dtype;
    absl::StrAppend(
        &out, absl::StrFormat("   %d layers of %s in %d parts, %.2f MB a sweep", pack.layer_count(),
                              std::string(DTypeName(dtype)), part_count, Megabytes(layer_bytes)));
  }
  if (row_bytes > 0) {
    absl::StrAppend(&out, absl::StrFormat("   %.2f MB read by row", Megabytes(row_bytes)));
  }
  return out + "\n";
}

}  // namespace

absl::StatusOr<std::string> ShowPack(FileSystem& files, const std::string& directory) {
  LT_ASSIGN_OR_RETURN(const PackDirectory pack, PackDirectory::Open(files, directory));
  std::string out =
      absl::StrCat(PrintableText(directory), "\ndigest        ", PrintableText(pack.model_digest()),
                   "\ntokenizer     ", PrintableText(pack.tokenizer_name()), "\n");
  for (const std::string& name : pack.Components()) {
    LT_ASSIGN_OR_RETURN(const PackReader* component, pack.Component(name));
    out += ShowComponent(*component);
  }
  const std::vector<std::string> lines = absl::StrSplit(pack.recipe(), '\n');
  const char* label = "recipe        ";
  for (const std::string& line : lines) {
    // The recipe's last line may have an end, or not.
    if (line.empty() && &line == &lines.back()) break;
    absl::StrAppend(&out, std::exchange(label, ""), PrintableText(line), "\n");
  }
  return out;
}

}  // namespace longtake
