// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/directory_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>

#include "tests/storage/temporary_directory.h"

namespace longtake {
namespace {

using ::testing::ElementsAre;

class DirectoryLockTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<DirectoryLock>> Take(const std::string& holder) {
    return DirectoryLock::Take(PosixFileSystem(), directory_, holder);
  }
  std::string Line() {
    return ReadTextFile(PosixFileSystem(), JoinPath(directory_, "LOCK"), 4096).value();
  }

  TemporaryDirectory temporary_;
  const std::string& directory_ = temporary_.path();
};

TEST_F(DirectoryLockTest, TheSecondIsToldWhoTheFirstIs) {
  auto first = Take("host a, pid 1, 127.0.0.1:8500");
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::Status second = Take("host a, pid 2, 127.0.0.1:8501").status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(second.message(), directory_ + " is in use by host a, pid 1, 127.0.0.1:8500");
  EXPECT_EQ(Line(), "host a, pid 1, 127.0.0.1:8500\n");  // the refused one wrote nothing
  first->reset();
  EXPECT_THAT(PosixFileSystem().List(directory_).value(), ElementsAre("LOCK"));
  ASSERT_TRUE(Take("pid 3").ok());
  EXPECT_EQ(Line(), "pid 3\n");
}

TEST_F(DirectoryLockTest, OnlyOneLineIsWrittenAndShown) {
  const auto first = Take("one\ntwo").value();
  EXPECT_EQ(Line(), "one\n");
  ASSERT_TRUE(WriteFileAtomically(PosixFileSystem(), JoinPath(directory_, "other"), {}).ok());
  auto file = PosixFileSystem().OpenReadWrite(JoinPath(directory_, "LOCK")).value();
  ASSERT_TRUE(file->Truncate(0).ok());
  EXPECT_EQ(Take("x").status().message(),
            directory_ + " is in use by another process, which has not written its name");
  const std::string foreign = "a\x1b[31mb\nc";
  ASSERT_TRUE(file->WriteAt(0, std::as_bytes(std::span(foreign))).ok());
  EXPECT_THAT(std::string(Take("x").status().message()),
              ::testing::Not(::testing::HasSubstr("\x1b")));
}

TEST_F(DirectoryLockTest, WhatIsNoFileOrNoDirectoryIsRefused) {
  EXPECT_EQ(DirectoryLock::Take(PosixFileSystem(), directory_ + "/none", "x").status().code(),
            absl::StatusCode::kNotFound);
  std::filesystem::create_directory(JoinPath(directory_, "LOCK"));
  EXPECT_EQ(Take("x").status().message(), directory_ + "/LOCK is a directory, not a file");
}

TEST_F(DirectoryLockTest, AKilledProcessHoldsNothing) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto held = Take("the child");
    char answer = held.ok() ? 'y' : 'n';
    if (write(ends[1], &answer, 1) == 1) pause();
    _exit(1);
  }
  char answer = 0;
  ASSERT_EQ(read(ends[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  EXPECT_EQ(Take("x").status().message(), directory_ + " is in use by the child");
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(Take("x").ok());
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace longtake
