// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/backend/backend_testing.h"

namespace longtake {
namespace {

// Pieces of all sizes, an empty one among them, that lie in another order than their rows.
TEST(StoreRowsTest, EachPieceHasItsRowsRounded) {
  Random random(11);
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    for (const int64_t width : {1, 24, 1536}) {
      const std::vector<int64_t> counts = {3, 0, random.Int(1, 400), 1, random.Int(1, 50)};
      int64_t rows = 0;
      for (const int64_t count : counts) rows += count;
      const std::vector<float> in = random.Floats(rows * width);
      const Values expected(in, dtype);
      const auto row_bytes = static_cast<size_t>(width) * DTypeBytes(dtype);
      for (const auto& machine : Machines()) {
        std::vector<std::byte> memory(static_cast<size_t>(rows) * row_bytes, std::byte{0xee});
        std::vector<RowPiece> pieces;
        std::byte* end = memory.data() + memory.size();
        for (const int64_t count : counts) {
          end -= static_cast<size_t>(count) * row_bytes;
          pieces.push_back({.out = DevicePtr(end), .rows = count});
        }
        machine->backend->StoreRows(
            {.in = DevicePtr(in.data()), .width = width, .dtype = dtype, .out = pieces});
        int64_t row = 0;
        for (const RowPiece& piece : pieces) {
          const auto bytes = static_cast<size_t>(piece.rows) * row_bytes;
          ASSERT_EQ(std::memcmp(piece.out.address(), expected.At(row * width), bytes), 0)
              << machine->Name() << ", row " << row << " of " << width;
          row += piece.rows;
        }
      }
    }
  }
}

}  // namespace
}  // namespace longtake
