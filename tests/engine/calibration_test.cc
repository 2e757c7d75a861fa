// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "engine/plan/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace longtake {
namespace {

using ::testing::HasSubstr;

Calibration Example() {
  Calibration out;
  out.model_digest = "abc";
  out.numerics_profile = "cpu-fma-chain-v1";
  out.instruction_set = "x86-64-v4";
  out.threads = 2;
  out.request_bytes = 1 << 20;
  out.disk_bytes_per_second = {1.5e9};
  out.verify_bytes_per_second = 9e9;
  out.decode = {.full = {.pixel = 3e-7, .latent = 0.375, .begin = 4e-6},
                .tiny = {.pixel = 1.5e-8, .latent = 0.0625, .begin = 2.5e-7}};
  out.layers = {{4, 0.125, 0.25, 0.5}, {16, 0.25, 0.5, 1.0}, {64, 1.0, 0.5, 2.0}};
  return out;
}

TEST(CalibrationTest, ComesBackFromItsFile) {
  const std::string text = EncodeCalibration(Example());
  const auto again = DecodeCalibration(text, "c.json");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->IsFor(Example()));
  EXPECT_EQ(again->request_bytes, Example().request_bytes);
  EXPECT_EQ(again->disk_bytes_per_second, Example().disk_bytes_per_second);
  EXPECT_EQ(again->verify_bytes_per_second, Example().verify_bytes_per_second);
  ASSERT_EQ(again->layers.size(), Example().layers.size());
  EXPECT_EQ(again->At(16).layer_seconds, Example().At(16).layer_seconds);
  EXPECT_EQ(again->At(16).context_row_seconds, 1.0);
  EXPECT_EQ(again->decode.full.pixel, 3e-7);
  EXPECT_EQ(again->decode.tiny.pixel, 1.5e-8);
  EXPECT_EQ(again->decode.full.latent, 0.375);
  EXPECT_EQ(again->decode.tiny.latent, 0.0625);
  EXPECT_EQ(again->decode.full.begin, 4e-6);
  EXPECT_EQ(again->decode.tiny.begin, 2.5e-7);
  EXPECT_EQ(EncodeCalibration(*again), text);
}

TEST(CalibrationTest, HasARateForEachLayerPath) {
  Calibration example = Example();
  example.layer_paths = {"/d0", "/d1"};
  example.layer_disks = {0, 1};
  example.disk_bytes_per_second = {1.5e9, 0.5e9};
  std::string text = EncodeCalibration(example);
  const auto again = DecodeCalibration(text, "c.json");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->IsFor(example));
  EXPECT_EQ(again->disk_bytes_per_second, example.disk_bytes_per_second);
  for (const char* broken : {"-1", "1, 2", "\"fast\""}) {
    std::string other = text;
    other.replace(other.rfind("500000000.0"), 11, broken);
    const auto refused = DecodeCalibration(other, "c.json");
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr("disk_bytes_per_second"));
  }
}

// Three directories on two disks.
TEST(CalibrationTest, PathsOnOneDiskHaveOneRate) {
  Calibration example = Example();
  example.layer_paths = {"/d0", "/d1", "/d2"};
  example.layer_disks = {0, 1, 0};
  example.disk_bytes_per_second = {1.5e9, 0.5e9};
  const std::string text = EncodeCalibration(example);
  const auto again = DecodeCalibration(text, "c.json");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->IsFor(example));
  EXPECT_EQ(again->disk_bytes_per_second, example.disk_bytes_per_second);
  EXPECT_EQ(EncodeCalibration(*again), text);
  const auto with_disks = [&](const std::string& disks) {
    std::string other = text;
    const size_t begin = other.find('[', other.find("layer_disks"));
    other.replace(begin, other.find(']', begin) + 1 - begin, disks);
    return DecodeCalibration(other, "c.json");
  };
  EXPECT_TRUE(with_disks("[0, 0, 1]").ok());
  EXPECT_FALSE(with_disks("[0, 0, 1]")->IsFor(example)) << "a path came to another disk";
  for (const char* broken : {"[0, 1]", "[0, 2, 1]", "[0, -1, 1]", "[0, 1.5, 0]", "0", "[]"}) {
    EXPECT_THAT(std::string(with_disks(broken).status().message()), HasSubstr("layer_disks"))
        << broken;
  }
  for (const char* broken : {"[0, 0, 0]", "[0, 1, 2]"}) {
    EXPECT_THAT(std::string(with_disks(broken).status().message()),
                HasSubstr("disk_bytes_per_second is not one per disk"));
  }
}

// As files had it that took each path for a disk of its own.
TEST(CalibrationTest, WithoutDisksEachPathIsOne) {
  Calibration example = Example();
  example.layer_paths = {"/d0", "/d1"};
  example.layer_disks = {0, 1};
  example.disk_bytes_per_second = {1.5e9, 0.5e9};
  std::string text = EncodeCalibration(example);
  const size_t begin = text.find("  \"layer_disks\"");
  text.erase(begin, text.find("],", begin) + 3 - begin);
  const auto old = DecodeCalibration(text, "c.json");
  ASSERT_TRUE(old.ok()) << old.status() << text;
  EXPECT_TRUE(old->IsFor(example));
  example.layer_disks = {0, 0};
  EXPECT_FALSE(old->IsFor(example)) << "then it is measured anew";
}

TEST(CalibrationTest, IsOfOneModelProfileAndMachine) {
  for (int i = 0; i < 5; ++i) {
    Calibration other = Example();
    if (i == 0) other.model_digest = "abd";
    if (i == 1) other.numerics_profile = "cpu-amx-bf16-v1";
    if (i == 2) other.instruction_set = "x86-64-v3";
    if (i == 3) other.threads = 4;
    if (i == 4) other.layer_paths = {"d0"};
    EXPECT_FALSE(other.IsFor(Example())) << i;
  }
  // The first format did not say which it is.
  std::string text = EncodeCalibration(Example());
  const std::string line = "  \"format\": 5,\n";
  ASSERT_NE(text.find(line), std::string::npos);
  text.erase(text.find(line), line.size());
  const auto first = DecodeCalibration(text, "c.json");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->IsFor(Example()));
}

TEST(CalibrationTest, LayersBetweenWhatWasMeasured) {
  const Calibration calibration = Example();
  EXPECT_DOUBLE_EQ(calibration.At(1).layer_seconds, 0.125);
  EXPECT_DOUBLE_EQ(calibration.At(16).layer_seconds, 0.25);
  EXPECT_DOUBLE_EQ(calibration.At(40).layer_seconds, 0.625);
  EXPECT_DOUBLE_EQ(calibration.At(40).between_seconds, 0.5);
  EXPECT_DOUBLE_EQ(calibration.At(640).layer_seconds, 10.0);
  EXPECT_DOUBLE_EQ(calibration.At(40).context_row_seconds, 1.5);
  EXPECT_DOUBLE_EQ(calibration.At(640).context_row_seconds, 20.0);
}

TEST(CalibrationTest, ABrokenFileIsNamedWithItsField) {
  const std::pair<std::string, std::string> cases[] = {
      {"1.5e9", "disk_bytes_per_second"},
      {"1048576", "request_bytes"},
      {"64", "tokens"},
      {"2.0", "context_row_seconds"},
      {"3e-07", "decode_pixel_seconds"},
      {"1.5e-08", "tiny_decode_pixel_seconds"},
      {"0.375", "decode_latent_seconds"},
      {"0.0625", "tiny_decode_latent_seconds"},
      {"4e-06", "decode_begin_pixel_seconds"},
      {"2.5e-07", "tiny_decode_begin_pixel_seconds"}};
  for (const auto& [number, field] : cases) {
    std::string text = EncodeCalibration(Example());
    const std::string shown = number == "1.5e9" ? "1500000000.0" : number;
    ASSERT_NE(text.rfind(shown), std::string::npos) << text;
    text.replace(text.rfind(shown), shown.size(), "-1");
    const auto broken = DecodeCalibration(text, "c.json");
    ASSERT_FALSE(broken.ok()) << field;
    EXPECT_THAT(std::string(broken.status().message()), HasSubstr("c.json"));
    EXPECT_THAT(std::string(broken.status().message()), HasSubstr(field));
  }
  std::string text = EncodeCalibration(Example());
  text.replace(text.find("context_row_seconds"), 7, "Context");
  EXPECT_THAT(std::string(DecodeCalibration(text, "c.json").status().message()),
              HasSubstr("context_row_seconds"));
  EXPECT_FALSE(DecodeCalibration("[]", "c.json").ok());
  EXPECT_FALSE(DecodeCalibration("{", "c.json").ok());
}

}  // namespace
}  // namespace longtake
