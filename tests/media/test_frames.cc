// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/media/test_frames.h"

#include <cmath>
#include <cstdlib>
#include <random>

namespace longtake {
namespace {

struct Rgb {
  int r, g, b;
};

Rgb ShapePixel(FrameSize size, int64_t frame, int x, int y) {
  const int radius = size.height / 5;
  const auto center = static_cast<int>((frame * 3) % size.width);
  const int dx = x - center, dy = y - size.height / 2;
  if (dx * dx + dy * dy < radius * radius) return {200, 60, 50};
  if (std::abs(y - static_cast<int>(frame % size.height)) < 4) return {40, 90, 200};
  return {60 + 120 * x / size.width, 60 + 120 * y / size.height, 90};
}

}  // namespace

std::vector<uint8_t> MovingShapes(FrameSize size, int64_t first, int count) {
  std::vector<uint8_t> rgb;
  rgb.reserve(size.frame_bytes() * count);
  for (int64_t frame = first; frame < first + count; ++frame) {
    for (int y = 0; y < size.height; ++y) {
      for (int x = 0; x < size.width; ++x) {
        const Rgb pixel = ShapePixel(size, frame, x, y);
        for (int channel : {pixel.r, pixel.g, pixel.b}) {
          rgb.push_back(static_cast<uint8_t>(channel));
        }
      }
    }
  }
  return rgb;
}

std::vector<uint8_t> GreyNoise(FrameSize size, int count, uint32_t seed) {
  std::minstd_rand random(seed);
  std::vector<uint8_t> rgb(size.frame_bytes() * count);
  for (size_t i = 0; i < rgb.size(); i += 3) {
    const auto grey = static_cast<uint8_t>(random() >> 8);
    rgb[i] = rgb[i + 1] = rgb[i + 2] = grey;
  }
  return rgb;
}

double PsnrDb(std::span<const uint8_t> a, std::span<const uint8_t> b) {
  if (a.size() != b.size()) return 0.0;
  double squares = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = double{1} * a[i] - b[i];
    squares += difference * difference;
  }
  if (squares == 0.0) return 99.0;
  return 10.0 * std::log10(255.0 * 255.0 * static_cast<double>(a.size()) / squares);
}

}  // namespace longtake
