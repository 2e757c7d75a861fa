// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/safetensors/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/safetensors/safetensors_writer.h"
#include "tests/storage/memory_files.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

std::string WithLength(uint64_t header_bytes, const std::string& rest) {
  std::string file(8, '\0');
  for (size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(header_bytes >> (8 * i));
  return file + rest;
}

std::string FileOf(const std::string& header, size_t data_bytes) {
  return WithLength(header.size(), header + std::string(data_bytes, 'd'));
}

absl::StatusOr<Safetensors> OpenText(MemoryFileSystem& files, const std::string& text) {
  files.Put("m.safetensors", text);
  return Safetensors::Open(files.OpenRead("m.safetensors", ReadMode::kBuffered).value());
}

TEST(SafetensorsTest, WritesAndReadsBack) {
  MemoryFileSystem files;
  const std::vector<TensorDecl> decls = {{.name = "b", .dtype = DType::kF32, .shape = {2, 1}},
                                         {.name = "a", .dtype = DType::kI8, .shape = {3}},
                                         {.name = "scalar", .dtype = DType::kBf16, .shape = {}}};
  auto writer = SafetensorsWriter::Create(files, "m.safetensors", decls, {{"seed", "7"}});
  ASSERT_TRUE(writer.ok()) << writer.status();
  const std::string data = "BBBBbbbbaaass";
  ASSERT_TRUE((*writer)->Append(std::as_bytes(std::span(data)).first(5)).ok());
  EXPECT_EQ((*writer)->Finish().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(files.Has("m.safetensors"));
  ASSERT_TRUE((*writer)->Append(std::as_bytes(std::span(data)).subspan(5)).ok());
  EXPECT_EQ((*writer)->Append(std::as_bytes(std::span(data)).first(1)).code(),
            absl::StatusCode::kOutOfRange);
  ASSERT_TRUE((*writer)->Finish().ok());

  auto read = Safetensors::Open(files.OpenRead("m.safetensors", ReadMode::kBuffered).value());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->metadata().at("seed"), "7");
  ASSERT_EQ(read->entries().size(), 3u);
  EXPECT_EQ(read->entries()[0].name, "a");
  const SafetensorsEntry* b = read->Find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->shape, std::vector<int64_t>({2, 1}));
  EXPECT_EQ(DTypeFromName(b->dtype_name).value(), DType::kF32);
  std::string out(6, '?');
  ASSERT_TRUE(read->Read(*b, 2, std::as_writable_bytes(std::span(out))).ok());
  EXPECT_EQ(out, "BBbbbb");
  EXPECT_EQ(read->Read(*b, 3, std::as_writable_bytes(std::span(out))).code(),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(read->Find("c"), nullptr);
}

TEST(SafetensorsTest, AnAbandonedWriterLeavesNothing) {
  MemoryFileSystem files;
  const std::vector<TensorDecl> decls = {{.name = "a", .dtype = DType::kI8, .shape = {3}}};
  {
    ASSERT_TRUE(SafetensorsWriter::Create(files, "m.safetensors", decls).ok());
  }
  EXPECT_FALSE(files.Has(std::string("m.safetensors") + kTemporaryInfix));
}

TEST(SafetensorsTest, KnowsTypesItCannotComputeWith) {
  MemoryFileSystem files;
  auto read = OpenText(files, FileOf(R"({"i":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},
      "n":{"dtype":"F4_NEW","shape":[5],"data_offsets":[16,19]}})",
                                     19));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(DTypeFromName(read->Find("i")->dtype_name).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST(SafetensorsTest, AcceptsAnEmptyHeaderAndTrailingSpace) {
  MemoryFileSystem files;
  EXPECT_TRUE(OpenText(files, FileOf("{}   ", 0)).ok());
  EXPECT_TRUE(
      OpenText(files, FileOf(R"({"e":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})", 0)).ok());
}

struct Hostile {
  const char* name;
  std::string header;
  size_t data_bytes;
  const char* message;
};

void PrintTo(const Hostile& hostile, std::ostream* out) { *out << hostile.name; }

class HostileHeaderTest : public ::testing::TestWithParam<Hostile> {};

TEST_P(HostileHeaderTest, IsRefusedNamingFileAndFault) {
  MemoryFileSystem files;
  const auto read = OpenText(files, FileOf(GetParam().header, GetParam().data_bytes));
  ASSERT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument) << read.status();
  EXPECT_THAT(std::string(read.status().message()), HasSubstr("m.safetensors: "));
  EXPECT_THAT(std::string(read.status().message()), HasSubstr(GetParam().message));
}

std::string One(const std::string& fields) { return "{\"t\":{" + fields + "}}"; }

INSTANTIATE_TEST_SUITE_P(
    Table, HostileHeaderTest,
    ::testing::Values(
        Hostile{"empty", "", 0, "not valid JSON"}, Hostile{"array", "[]", 0, "unexpected array"},
        Hostile{"number", "7", 0, "unexpected number"}, Hostile{"cut", "{\"t\":{", 0, "JSON"},
        Hostile{"trailing", "{}x", 0, "JSON"}, Hostile{"nul", std::string("{}\0", 3), 0, "JSON"},
        Hostile{"utf8", "{\"\xff\":{}}", 0, "JSON"}, Hostile{"null", "{\"t\":null}", 0, "null"},
        Hostile{"list", "{\"t\":[1]}", 0, "unexpected array"},
        Hostile{"missing", One(R"("dtype":"I8","shape":[1])"), 1, "missing"},
        Hostile{"no_offsets", One(R"("dtype":"I8","shape":[1],"data_offsets":[])"), 1,
                "two numbers"},
        Hostile{"three", One(R"("dtype":"I8","shape":[1],"data_offsets":[0,1,2])"), 1, "more than"},
        Hostile{"negative", One(R"("dtype":"I8","shape":[-1],"data_offsets":[0,1])"), 1,
                "negative"},
        Hostile{"fraction", One(R"("dtype":"I8","shape":[1.5],"data_offsets":[0,1])"), 1,
                "fraction"},
        Hostile{"big", One(R"("dtype":"I8","shape":[99999999999999999999],"data_offsets":[0,1])"),
                1, "beyond 64"},
        Hostile{"bits63", One(R"("dtype":"I8","shape":[9223372036854775808],"data_offsets":[0,1])"),
                1, "63 bits"},
        Hostile{"overflow",
                One(R"("dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,1])"), 1,
                "overflows"},
        Hostile{"bytes_overflow",
                One(R"("dtype":"F64","shape":[4611686018427387904],"data_offsets":[0,1])"), 1,
                "overflows"},
        Hostile{"mismatch", One(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"), 4, "need 8"},
        Hostile{"backwards", One(R"("dtype":"I8","shape":[1],"data_offsets":[1,0])"), 1, "before"},
        Hostile{"beyond", One(R"("dtype":"I8","shape":[9],"data_offsets":[0,9])"), 8, "cut short"},
        Hostile{"far", One(R"("dtype":"X","shape":[9],"data_offsets":[0,18446744073709551615])"), 8,
                "cut short"},
        Hostile{"gap", One(R"("dtype":"I8","shape":[1],"data_offsets":[1,2])"), 2, "unused bytes"},
        Hostile{"tail", One(R"("dtype":"I8","shape":[1],"data_offsets":[0,1])"), 2,
                "after the last"},
        Hostile{"field_twice", One(R"("dtype":"I8","dtype":"I8","shape":[1],"data_offsets":[0,1])"),
                1, "\"dtype\" given twice"},
        Hostile{"unknown_field", One(R"("dtype":"I8","x":1,"shape":[1],"data_offsets":[0,1])"), 1,
                "unknown field"},
        Hostile{"nested", One(R"("dtype":"I8","shape":[[1]],"data_offsets":[0,1])"), 1, "array"},
        Hostile{"nested_object", One(R"("dtype":{},"shape":[1],"data_offsets":[0,1])"), 1,
                "object"},
        Hostile{"metadata_number", R"({"__metadata__":{"a":1}})", 0, "unexpected number"},
        Hostile{"metadata_twice", R"({"__metadata__":{},"__metadata__":{}})", 0, "twice"},
        Hostile{"metadata_key_twice", R"({"__metadata__":{"a":"1","a":"2"}})", 0, "twice"},
        Hostile{"dims",
                One(R"("dtype":"I8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],)"
                    R"("data_offsets":[0,1])"),
                1, "16 dimensions"},
        Hostile{"deep", "{\"t\":" + std::string(100000, '['), 0, "unexpected array"},
        Hostile{"tensor_twice",
                R"({"t":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},)"
                R"("t":{"dtype":"I8","shape":[1],"data_offsets":[1,2]}})",
                2, "\"t\": given twice"},
        Hostile{"overlap",
                R"({"t":{"dtype":"I8","shape":[2],"data_offsets":[0,2]},)"
                R"("u":{"dtype":"I8","shape":[2],"data_offsets":[1,3]}})",
                3, "\"u\": overlaps"}));

TEST(SafetensorsTest, RefusesImpossibleLengths) {
  MemoryFileSystem files;
  for (const std::string& text :
       {std::string("short"), WithLength(UINT64_MAX, "{}"), WithLength(100'000'001, "{}"),
        WithLength(3, "{}"), WithLength(99'999'999, "{}")}) {
    EXPECT_EQ(OpenText(files, text).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace longtake
