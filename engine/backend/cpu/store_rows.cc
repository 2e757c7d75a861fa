// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <numeric>

#include "engine/backend/cpu/cpu_backend.h"

namespace longtake {
namespace {

void StoreRow(const float* row, int64_t width, DType dtype, std::byte* out) {
  if (dtype == DType::kF32) {
    std::memcpy(out, row, static_cast<size_t>(width) * sizeof(float));
    return;
  }
  auto* half = reinterpret_cast<uint16_t*>(out);
  for (int64_t i = 0; i < width; ++i) half[i] = FloatToBf16(row[i]);
}

}  // namespace

void CpuBackend::StoreRows(const StoreRowsArgs& args) {
  LT_CHECK(args.width > 0 && (args.dtype == DType::kF32 || args.dtype == DType::kBf16));
  const int64_t row_bytes = args.width * static_cast<int64_t>(DTypeBytes(args.dtype));
  const int64_t rows =
      std::accumulate(args.out.begin(), args.out.end(), int64_t{0},
                      [](int64_t sum, const RowPiece& piece) { return sum + piece.rows; });
  ParallelRows(rows, args.width, [&](int64_t begin, int64_t count) {
    auto piece = args.out.begin();
    int64_t first = 0;  // row of the piece
    for (int64_t row = begin; row < begin + count; ++row) {
      while (row - first >= piece->rows) first += (piece++)->rows;
      StoreRow(args.in.address() + row * args.width, args.width, args.dtype,
               piece->out.address() + (row - first) * row_bytes);
    }
  });
}

}  // namespace longtake
