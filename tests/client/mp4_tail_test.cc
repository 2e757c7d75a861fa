// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/mp4_tail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace longtake {
namespace {

using ::testing::HasSubstr;

std::string Number(uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

std::string Box(const std::string& type, const std::string& body, bool long_size = false) {
  if (long_size) return Number(1, 4) + type + Number(16 + body.size(), 8) + body;
  return Number(8 + body.size(), 4) + type + body;
}

std::string Fragment(uint64_t sequence, bool long_size = false) {
  return Box("moof", Box("mfhd", Number(0, 4) + Number(sequence, 4)) + Box("traf", "...")) +
         Box("mdat", std::string(50, 'm'), long_size);
}

const std::string kInit = Box("ftyp", "isom") + Box("moov", std::string(100, 'v'));

absl::StatusOr<Mp4Tail> Read(const std::string& bytes) {
  const std::string path =
      (std::filesystem::temp_directory_path() / "longtake-mp4-tail-test.mp4").string();
  std::ofstream(path, std::ios::binary) << bytes;
  auto tail = ReadMp4Tail(path);
  std::filesystem::remove(path);
  return tail;
}

TEST(Mp4TailTest, GoesOnBehindTheLastWholeFragmentWhereverTheFileIsCut) {
  const std::string one = kInit + Fragment(1);
  const std::string two = one + Fragment(2, true);
  const std::string three = two + Fragment(3);
  for (size_t cut = kInit.size(); cut <= three.size(); ++cut) {
    const auto tail = Read(three.substr(0, cut));
    ASSERT_TRUE(tail.ok()) << cut << " " << tail.status();
    const size_t whole = cut == three.size() ? three.size()
                         : cut >= two.size() ? two.size()
                         : cut >= one.size() ? one.size()
                                             : kInit.size();
    EXPECT_EQ(tail->whole_bytes, static_cast<int64_t>(whole)) << cut;
    EXPECT_EQ(tail->init_segment, kInit);
    EXPECT_EQ(tail->next_chunk, cut == three.size() ? 3
                                : cut >= two.size() ? 2
                                                    : cut >= one.size());
  }
}

TEST(Mp4TailTest, AVideoOfAClientThatCameLateBeginsAnywhere) {
  EXPECT_EQ(Read(kInit + Fragment(7) + Fragment(8))->next_chunk, 8);
}

TEST(Mp4TailTest, AnotherFileIsRefused) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "has no ftyp"},
      {"GIF89a, and so on for a while", "has no ftyp"},
      {kInit.substr(0, kInit.size() - 1), "has no moov"},
      {Box("ftyp", "isom") + Box("mdat", "x") + Box("moov", "v"), "has no moov"},
      {kInit + Box("free", "x") + Fragment(1), "no fragment at byte"},
      {kInit + Fragment(1) + Fragment(3), "is not the next one"},
      {kInit + Fragment(0), "is not the next one"},
      {kInit + Box("moof", "no header") + Box("mdat", ""), "is not the next one"},
  };
  for (const auto& [bytes, why] : cases) {
    const auto tail = Read(bytes);
    EXPECT_EQ(tail.status().code(), absl::StatusCode::kFailedPrecondition) << why;
    EXPECT_THAT(std::string(tail.status().message()), HasSubstr(why));
  }
  EXPECT_EQ(ReadMp4Tail("/nowhere.mp4").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace longtake
