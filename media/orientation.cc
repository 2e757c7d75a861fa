// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "media/orientation.h"

#include <cstdlib>
#include <cstring>

namespace longtake {
namespace {

constexpr uint16_t kOrientationTag = 0x0112;
constexpr uint64_t kPngSignatureBytes = 8;
constexpr uint64_t kChunkFrameBytes = 12;  // length, type and checksum

uint64_t BigEndian(std::span<const uint8_t> bytes) {
  uint64_t value = 0;
  for (const uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

uint64_t LittleEndian(std::span<const uint8_t> bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) value = value << 8 | bytes[i - 1];
  return value;
}

// EXIF is a TIFF file: byte order, 42, the place of the first directory; then that many entries of
// tag, type, count and value, 12 bytes each.
std::optional<Orientation> OrientationOfTiff(std::span<const uint8_t> tiff) {
  if (tiff.size() < 8) return std::nullopt;
  const auto number = tiff[0] == 'M' ? BigEndian : LittleEndian;
  const uint64_t directory = number(tiff.subspan(4, 4));
  if (directory + 2 > tiff.size()) return std::nullopt;
  const uint64_t count = number(tiff.subspan(directory, 2));
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t at = directory + 2 + 12 * i;
    if (at + 12 > tiff.size()) return std::nullopt;
    if (number(tiff.subspan(at, 2)) != kOrientationTag) continue;
    return OrientationOfExif(static_cast<int64_t>(number(tiff.subspan(at + 8, 2))));
  }
  return std::nullopt;
}

}  // namespace

Orientation OrientationOfExif(int64_t value) {
  switch (value) {
    case 2:
      return {.mirrored_x = true};
    case 3:
      return {.mirrored_x = true, .mirrored_y = true};
    case 4:
      return {.mirrored_y = true};
    case 5:
      return {.transposed = true};
    case 6:
      return {.transposed = true, .mirrored_x = true};
    case 7:
      return {.transposed = true, .mirrored_x = true, .mirrored_y = true};
    case 8:
      return {.transposed = true, .mirrored_y = true};
    default:
      return {};
  }
}

// The matrix takes a pixel (x, y) to (a x + c y, b x + d y), with a b u, c d v, x y w as its rows.
absl::StatusOr<Orientation> OrientationOfMatrix(std::span<const int32_t, 9> matrix) {
  const int64_t a = matrix[0], b = matrix[1], c = matrix[3], d = matrix[4];
  const auto is_small = [](int64_t part, int64_t whole) {
    return std::abs(part) <= std::abs(whole) / 64;
  };
  if (a == 0 && b == 0 && c == 0 && d == 0) return Orientation();  // nobody filled it in
  if (a != 0 && d != 0 && is_small(b, a) && is_small(c, d)) {
    return Orientation{.mirrored_x = a < 0, .mirrored_y = d < 0};
  }
  if (b != 0 && c != 0 && is_small(a, b) && is_small(d, c)) {
    return Orientation{.transposed = true, .mirrored_x = c < 0, .mirrored_y = b < 0};
  }
  return absl::UnimplementedError(
      "is to be shown turned by an angle that is no multiple of 90 degrees");
}

std::optional<Orientation> OrientationOfPng(std::span<const uint8_t> file) {
  uint64_t at = kPngSignatureBytes;
  while (at + kChunkFrameBytes <= file.size()) {
    const uint64_t bytes = BigEndian(file.subspan(at, 4));
    if (bytes > file.size() - at - kChunkFrameBytes) return std::nullopt;
    if (std::memcmp(file.data() + at + 4, "eXIf", 4) == 0) {
      return OrientationOfTiff(file.subspan(at + 8, bytes));
    }
    at += kChunkFrameBytes + bytes;
  }
  return std::nullopt;
}

}  // namespace longtake
