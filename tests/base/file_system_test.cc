// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/file_system.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>

#include "base/aligned_buffer.h"
#include "base/fd.h"
#include "base/pipe.h"

namespace longtake {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

class FileSystemTest : public ::testing::Test {
 protected:
  FileSystemTest() {
    std::string pattern = ::testing::TempDir() + "longtake_XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~FileSystemTest() override { std::filesystem::remove_all(directory_); }
  std::string Path(const std::string& name) const { return JoinPath(directory_, name); }

  FileSystem& files_ = PosixFileSystem();
  std::string directory_;
};

TEST_F(FileSystemTest, WritesReadsAndLists) {
  ASSERT_TRUE(WriteFileAtomically(files_, Path("b"), Bytes("hello")).ok());
  ASSERT_TRUE(WriteFileAtomically(files_, Path("a"), Bytes("old")).ok());
  ASSERT_TRUE(WriteFileAtomically(files_, Path("a"), Bytes("newer")).ok());
  EXPECT_THAT(files_.List(directory_).value(), ElementsAre("a", "b"));  // no temporary file left
  EXPECT_EQ(ReadTextFile(files_, Path("a"), 5).value(), "newer");
  EXPECT_EQ(files_.Size(Path("a")).value(), 5u);
  EXPECT_GT(files_.FreeSpace(directory_).value(), 0u);
  EXPECT_EQ(files_.DiskOf(Path("a")).value(), files_.DiskOf(directory_).value());
  EXPECT_NE(files_.DiskOf("/proc").value(), files_.DiskOf(directory_).value());
  EXPECT_EQ(files_.DiskOf(Path("none")).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(files_.Remove(Path("a")).ok());
  EXPECT_EQ(files_.Size(Path("a")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FileSystemTest, ErrorsNameThePath) {
  const absl::Status missing = files_.OpenRead(Path("none"), ReadMode::kBuffered).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr(Path("none")));
  EXPECT_EQ(files_.OpenRead(directory_, ReadMode::kBuffered).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(files_.List(Path("none")).ok());
  EXPECT_FALSE(files_.SyncDir(Path("none")).ok());
  EXPECT_FALSE(files_.Rename(Path("none"), Path("other")).ok());
  ASSERT_TRUE(WriteFileAtomically(files_, Path("f"), Bytes("12345")).ok());
  EXPECT_FALSE(files_.MakeDir(Path("f")).ok());
  EXPECT_THAT(std::string(ReadTextFile(files_, Path("f"), 4).status().message()),
              HasSubstr("5 bytes, at most 4"));
  auto file = files_.OpenRead(Path("f"), ReadMode::kBuffered).value();
  std::string out(4, '?');
  const absl::Status beyond = file->ReadAt(3, std::as_writable_bytes(std::span(out)));
  EXPECT_EQ(beyond.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(beyond.message()), HasSubstr("ends at byte 5"));
}

TEST_F(FileSystemTest, OnlyRegularFilesAreOpened) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  const Fd socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = {}};
  std::strncpy(address.sun_path, Path("socket").c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  std::filesystem::create_symlink("fifo", Path("link"));
  std::map<std::string, std::string> cases = {{Path("fifo"), "a pipe"},
                                              {Path("socket"), "a socket"},
                                              {Path("link"), "a pipe"},
                                              {directory_, "a directory"}};
  // One of our own, never one of the machine's. Only root may make it.
  if (mknod(Path("device").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0) {
    cases[Path("device")] = "a device";
  }
  for (const auto& [path, kind] : cases) {
    const absl::Status statuses[] = {files_.OpenRead(path, ReadMode::kBuffered).status(),
                                     files_.Create(path).status(),
                                     files_.OpenReadWrite(path).status(),
                                     files_.CreateTemporary(path).status(),
                                     WriteFileAtomically(files_, path, Bytes("x")),
                                     ReadTextFile(files_, path, 10).status()};
    for (const absl::Status& status : statuses) {
      EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << path;
      EXPECT_EQ(status.message(), path + " is " + kind + ", not a file");
    }
  }
}

TEST_F(FileSystemTest, OpenReadWriteKeepsWhatIsThere) {
  const auto created = files_.OpenReadWrite(Path("f")).value();
  EXPECT_EQ(created->Size().value(), 0u);
  ASSERT_TRUE(created->WriteAt(0, Bytes("hello")).ok());
  const auto again = files_.OpenReadWrite(Path("f")).value();
  ASSERT_TRUE(again->WriteAt(1, Bytes("a")).ok());
  EXPECT_EQ(ReadTextFile(files_, Path("f"), 9).value(), "hallo");
  EXPECT_EQ(files_.OpenReadWrite(Path("none/f")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FileSystemTest, TruncateCutsAndExtendsWithZeros) {
  const auto file = files_.OpenReadWrite(Path("f")).value();
  ASSERT_TRUE(file->WriteAt(0, Bytes("hello")).ok());
  ASSERT_TRUE(file->Truncate(2).ok());
  ASSERT_TRUE(file->Truncate(4).ok());
  EXPECT_EQ(ReadTextFile(files_, Path("f"), 9).value(), std::string("he\0\0", 4));
  const absl::Status status = files_.OpenRead(Path("f"), ReadMode::kBuffered).value()->Truncate(1);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cut " + Path("f") + " to 1 bytes"));
}

TEST_F(FileSystemTest, ALockKeepsOthersOutUntilItsFileIsClosed) {
  auto first = files_.OpenReadWrite(Path("f")).value();
  const auto second = files_.OpenReadWrite(Path("f")).value();
  ASSERT_TRUE(first->Lock().ok());
  EXPECT_TRUE(first->Lock().ok());
  files_.OpenReadWrite(Path("f")).value().reset();  // closing another descriptor changes nothing
  const absl::Status refused = second->Lock();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused.message(), Path("f") + " is locked by another");
  first.reset();
  EXPECT_TRUE(second->Lock().ok());
}

// io_uring answers EAGAIN where a descriptor is non-blocking.
TEST_F(FileSystemTest, OpenFilesAreBlocking) {
  const auto created = files_.Create(Path("f")).value();
  const auto opened = files_.OpenRead(Path("f"), ReadMode::kBuffered).value();
  EXPECT_EQ(fcntl(created->fd(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(fcntl(opened->fd(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(fcntl(files_.OpenReadWrite(Path("f")).value()->fd(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(FileSystemTest, TextWithoutASizeIsReadToItsEnd) {
  const auto text = ReadTextFile(files_, "/proc/self/status", 1 << 20);
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, HasSubstr("Name:"));
  EXPECT_THAT(std::string(ReadTextFile(files_, "/proc/self/status", 10).status().message()),
              HasSubstr("10 bytes"));
}

TEST_F(FileSystemTest, APipeIsReadUntilItsWritersAreGone) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_TRUE(IsPipe(Path("fifo")));
  EXPECT_FALSE(IsPipe(Path("none")));
  EXPECT_EQ(ReadPipe(Path("fifo"), 100, 1).status().code(), absl::StatusCode::kDeadlineExceeded);
  const auto read_from = [](const std::string& text, uint64_t bytes_max) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    const Fd read_end(ends[0]);
    EXPECT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(ends[1]);
    return ReadPipe("/proc/self/fd/" + std::to_string(read_end.get()), bytes_max, 10'000);
  };
  EXPECT_EQ(read_from(std::string(100, 'x'), 100).value_or("none"), std::string(100, 'x'));
  EXPECT_THAT(std::string(read_from(std::string(101, 'x'), 100).status().message()),
              HasSubstr("more than the 100 bytes"));
}

TEST_F(FileSystemTest, AtomicWritesFollowNoLinkThatWasLaidOut) {
  ASSERT_TRUE(WriteFileAtomically(files_, Path("victim"), Bytes("precious")).ok());
  std::filesystem::create_symlink("victim", Path("port.tmp"));
  std::filesystem::create_symlink("victim", Path("port"));
  ASSERT_TRUE(WriteFileAtomically(files_, Path("port"), Bytes("1234")).ok());
  EXPECT_EQ(ReadTextFile(files_, Path("victim"), 100).value(), "precious");
  EXPECT_EQ(ReadTextFile(files_, Path("port"), 100).value(), "1234");
  EXPECT_FALSE(std::filesystem::is_symlink(Path("port")));
  EXPECT_THAT(files_.List(directory_).value(), ElementsAre("port", "port.tmp", "victim"));
}

TEST_F(FileSystemTest, TemporaryNamesDifferAndModesAreThoseOfAFile) {
  const auto one = files_.CreateTemporary(Path("f")).value();
  const auto two = files_.CreateTemporary(Path("f")).value();
  EXPECT_NE(one->path(), two->path());
  ASSERT_TRUE(WriteFileAtomically(files_, Path("f"), Bytes("x")).ok());
  const auto created = files_.Create(Path("g")).value();
  EXPECT_EQ(std::filesystem::status(Path("f")).permissions(),
            std::filesystem::status(Path("g")).permissions());
}

TEST_F(FileSystemTest, MakesDirectoriesWithParents) {
  ASSERT_TRUE(files_.MakeDir(Path("x/y/z")).ok());
  ASSERT_TRUE(files_.MakeDir(Path("x/y/z")).ok());
  EXPECT_TRUE(WriteFileAtomically(files_, Path("x/y/z/f"), Bytes("1")).ok());
}

TEST_F(FileSystemTest, DirectReadsWholeBlocks) {
  const std::string text(8192, 'd');
  ASSERT_TRUE(WriteFileAtomically(files_, Path("f"), Bytes(text)).ok());
  auto file = files_.OpenRead(Path("f"), ReadMode::kDirect);
  if (!file.ok()) GTEST_SKIP() << file.status();  // no such mode on this file system
  AlignedBuffer out = AlignedBuffer::Allocate(4096, 4096).value();
  ASSERT_TRUE((*file)->ReadAt(4096, out.span()).ok());
  EXPECT_EQ(out.data()[4095], std::byte{'d'});
}

TEST(PathTest, Parts) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
  EXPECT_EQ(DirName("a/b/c"), "a/b");
  EXPECT_EQ(DirName("/c"), "/");
  EXPECT_EQ(DirName("c"), ".");
}

// Answers each attempt with the next of a list of results.
class ScriptedFile final : public File {
 public:
  explicit ScriptedFile(std::deque<int64_t> results) : results_(std::move(results)) {}
  const std::string& path() const override { return path_; }
  int64_t ReadSome(uint64_t, std::span<std::byte>) override { return Next(); }
  int64_t WriteSome(uint64_t, std::span<const std::byte>) override { return Next(); }
  absl::Status Sync() override { return absl::OkStatus(); }
  absl::Status Reserve(uint64_t) override { return absl::OkStatus(); }
  absl::Status Truncate(uint64_t) override { return absl::OkStatus(); }
  absl::Status Lock() override { return absl::OkStatus(); }
  absl::StatusOr<uint64_t> Size() override { return 0; }
  size_t left() const { return results_.size(); }

 private:
  int64_t Next() {
    const int64_t result = results_.front();
    if (results_.size() > 1) results_.pop_front();
    return result;
  }
  std::string path_ = "scripted";
  std::deque<int64_t> results_;
};

TEST(FileTest, ContinuesShortAndInterruptedTransfers) {
  std::vector<std::byte> bytes(10);
  const std::deque<int64_t> results = {3, -EINTR, 1, -EAGAIN, -EAGAIN, 6, -EIO};
  ScriptedFile read(results), write(results);
  EXPECT_TRUE(read.ReadAt(0, bytes).ok());
  EXPECT_TRUE(write.WriteAt(0, bytes).ok());
  EXPECT_EQ(read.left(), 1u);
  EXPECT_EQ(write.left(), 1u);
}

TEST(FileTest, GivesUpInTheEnd) {
  std::vector<std::byte> bytes(10);
  const std::pair<int64_t, absl::StatusCode> cases[] = {
      {-EIO, absl::StatusCode::kUnavailable},
      {-EAGAIN, absl::StatusCode::kUnavailable},
      {-ENOSPC, absl::StatusCode::kResourceExhausted},
      {-EBADF, absl::StatusCode::kFailedPrecondition}};
  for (const auto& [result, code] : cases) {
    EXPECT_EQ(ScriptedFile({4, result}).ReadAt(0, bytes).code(), code) << result;
    EXPECT_EQ(ScriptedFile({4, result}).WriteAt(0, bytes).code(), code) << result;
  }
  EXPECT_EQ(ScriptedFile({4, 0}).ReadAt(0, bytes).code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(ScriptedFile({4, 0}).WriteAt(0, bytes).code(), absl::StatusCode::kUnavailable);
}

TEST_F(FileSystemTest, AScratchFileHasNoNameAndItsSpace) {
  const auto file = files_.CreateScratch(directory_, ReadMode::kBuffered);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(files_.List(directory_)->empty());
  ASSERT_TRUE((*file)->Reserve(1 << 20).ok());
  EXPECT_EQ(*(*file)->Size(), 1u << 20);
  const std::vector<std::byte> bytes(100, std::byte{7});
  std::vector<std::byte> back(100);
  EXPECT_TRUE((*file)->WriteAt(5000, bytes).ok());
  EXPECT_TRUE((*file)->ReadAt(5000, back).ok());
  EXPECT_EQ(back, bytes);
  EXPECT_EQ((*file)->Reserve(uint64_t{1} << 62).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(files_.CreateScratch("/nowhere", ReadMode::kBuffered).status().code(),
            absl::StatusCode::kNotFound);
}

TEST(AlignedBufferTest, IsAlignedAndZero) {
  const auto buffer = AlignedBuffer::Allocate(5000, 4096);
  ASSERT_TRUE(buffer.ok());
  EXPECT_EQ(buffer->size(), 5000u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % 4096, 0u);
  for (std::byte b : buffer->span()) ASSERT_EQ(b, std::byte{0});
  EXPECT_EQ(AlignedBuffer::Allocate(UINT64_MAX, 4096).status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(AlignedBuffer::Allocate(0, 4096)->size(), 0u);
}

}  // namespace
}  // namespace longtake
