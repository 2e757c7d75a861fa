// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/chunk_chain.h"

#include <gtest/gtest.h>

#include <span>
#include <string>

#include "base/checksum.h"

namespace longtake {
namespace {

std::string Bytes(const Hash128& hash) {
  std::string out;
  for (const uint64_t half : {hash.high, hash.low}) {
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(half >> shift));
  }
  return out;
}

std::string Hash(const std::string& text) {
  return Bytes(Xxh3Hash128(std::as_bytes(std::span(text))));
}

std::string ChainOf(int64_t chunks) {
  std::string chain(16, '\0');
  for (int64_t i = 0; i < chunks; ++i) chain = Hash(chain + Hash(std::to_string(i)));
  return chain;
}

v1::Opened OpenedAt(int64_t next_chunk, int64_t durable_through = 0) {
  v1::Opened opened;
  opened.set_next_chunk(next_chunk);
  opened.set_init_segment("init");
  opened.mutable_session()->set_name("sessions/a");
  opened.mutable_session()->set_durable_through(durable_through);
  return opened;
}

v1::Chunk Part(int64_t index, int64_t offset, const std::string& data, bool last) {
  v1::Chunk part;
  part.set_index(index);
  part.set_data_offset(offset);
  part.set_data(data);
  part.set_last_part(last);
  part.set_digest(Hash(std::to_string(index)));
  part.set_chain_digest(ChainOf(index + 1));
  return part;
}

bool IsLost(const absl::Status& status) { return absl::IsDataLoss(status); }

TEST(ChunkChainTest, PartsBecomeChunks) {
  ChunkChain chain;
  ASSERT_TRUE(chain.Open(OpenedAt(0)).ok());
  for (int64_t i = 0; i < 3; ++i) {
    auto first = chain.Add(Part(i, 0, "abc", false));
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_FALSE(first->has_value());
    EXPECT_EQ(chain.next_chunk(), i);
    auto last = chain.Add(Part(i, 3, "de", true));
    ASSERT_TRUE(last.ok()) << last.status();
    EXPECT_EQ((*last)->data(), "abcde");
    EXPECT_EQ((*last)->data_offset(), 0);
    EXPECT_EQ(chain.next_chunk(), i + 1);
  }
}

TEST(ChunkChainTest, WhatAStreamLeftBehindIsDropped) {
  ChunkChain chain;
  ASSERT_TRUE(chain.Open(OpenedAt(0)).ok());
  ASSERT_TRUE(chain.Add(Part(0, 0, "half", false)).ok());
  ASSERT_TRUE(chain.Open(OpenedAt(0)).ok());
  auto whole = chain.Add(Part(0, 0, "whole", true));
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ((*whole)->data(), "whole");
}

TEST(ChunkChainTest, WhatIsMissingIsNamed) {
  ChunkChain chain;
  ASSERT_TRUE(chain.Open(OpenedAt(0)).ok());
  EXPECT_TRUE(IsLost(chain.Add(Part(1, 0, "x", true)).status()));
  EXPECT_TRUE(IsLost(chain.Add(Part(0, 1, "x", true)).status()));
}

TEST(ChunkChainTest, AChunkThatDoesNotFollowIsNotTaken) {
  ChunkChain chain;
  ASSERT_TRUE(chain.Open(OpenedAt(0)).ok());
  ASSERT_TRUE(chain.Add(Part(0, 0, "x", true)).ok());
  ASSERT_TRUE(chain.Open(OpenedAt(1)).ok());
  v1::Chunk other = Part(1, 0, "y", true);
  other.set_digest(Hash("another picture"));
  const absl::Status status = chain.Add(other).status();
  EXPECT_TRUE(IsLost(status)) << status;
  EXPECT_NE(status.message().find("chunk 1"), std::string::npos);
}

// What came before the first chunk of an attach is not known.
TEST(ChunkChainTest, AnAttachInTheMiddleBeginsTheChainThere) {
  ChunkChain chain;
  ASSERT_TRUE(chain.Open(OpenedAt(5)).ok());
  v1::Chunk first = Part(5, 0, "x", true);
  first.set_digest(Hash("whatever"));
  EXPECT_TRUE(chain.Add(first).ok());
  v1::Chunk second = Part(6, 0, "x", true);
  second.set_digest(Hash("whatever"));
  EXPECT_TRUE(IsLost(chain.Add(second).status()));
}

TEST(ChunkChainTest, AServerThatComesBackWithLessHasLostIt) {
  ChunkChain chain;
  ASSERT_TRUE(chain.Open(OpenedAt(0, 1)).ok());
  v1::Chunk chunk = Part(0, 0, "x", true);
  chunk.set_durable_through(4);
  ASSERT_TRUE(chain.Add(chunk).ok());
  EXPECT_TRUE(chain.Open(OpenedAt(1, 4)).ok());
  const absl::Status status = chain.Open(OpenedAt(1, 3));
  EXPECT_TRUE(IsLost(status)) << status;
  EXPECT_NE(status.message().find("lost"), std::string::npos);
}

TEST(ChunkChainTest, AnotherVideoIsNotGoneOnWith) {
  ChunkChain chain;
  ASSERT_TRUE(chain.Open(OpenedAt(0)).ok());
  ASSERT_TRUE(chain.Add(Part(0, 0, "x", true)).ok());
  v1::Opened rewound = OpenedAt(1);
  rewound.mutable_session()->set_epoch(1);
  EXPECT_TRUE(absl::IsFailedPrecondition(chain.Open(rewound)));
  v1::Opened encoded = OpenedAt(1);
  encoded.set_init_segment("other");
  EXPECT_TRUE(absl::IsFailedPrecondition(chain.Open(encoded)));
  EXPECT_TRUE(IsLost(chain.Open(OpenedAt(0))));
  EXPECT_TRUE(chain.Open(OpenedAt(1)).ok());
}

}  // namespace
}  // namespace longtake
