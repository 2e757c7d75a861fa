// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/unix_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "server/listen_sockets.h"

namespace longtake {
namespace {

using ::testing::HasSubstr;

class UnixSocketTest : public ::testing::Test {
 protected:
  UnixSocketTest() { std::filesystem::create_directory(folder_); }
  ~UnixSocketTest() override {
    umask(umask_);
    std::filesystem::remove_all(folder_);
  }

  std::string Path(const std::string& name = "s") const { return folder_ + "/" + name; }
  std::string Address(const std::string& name = "s") const { return "unix:" + Path(name); }

  static int ModeOf(const std::string& path) {
    struct stat file{};
    EXPECT_EQ(lstat(path.c_str(), &file), 0);
    return static_cast<int>(file.st_mode & 07777);
  }

  // Invalid when nobody listens.
  Fd Connect(const std::string& name = "s") const {
    Fd client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    Path(name).copy(address.sun_path, sizeof(address.sun_path) - 1);
    if (connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
      client.Reset();
    }
    return client;
  }

  static void ExpectRefused(const std::string& address, const std::string& why) {
    const auto opened = OpenUnixSocket(address, 0600);
    EXPECT_EQ(opened.status().code(), absl::StatusCode::kUnavailable) << opened.status();
    EXPECT_THAT(std::string(opened.status().message()), HasSubstr(address));
    EXPECT_THAT(std::string(opened.status().message()), HasSubstr(why));
  }

  const mode_t umask_ = umask(022);
  const std::string folder_ =
      absl::StrCat(std::filesystem::temp_directory_path().string(), "/longtake-unix-", getpid());
};

TEST_F(UnixSocketTest, TheFileLetsInWhomTheModeSays) {
  for (const mode_t mask : {0, 022, 0777}) {
    umask(mask);
    for (const mode_t mode : {0600, 0660, 0666}) {
      const auto opened = OpenListenSockets(Address(), mode);
      ASSERT_TRUE(opened.ok()) << opened.status();
      EXPECT_EQ(ModeOf(Path()), static_cast<int>(mode)) << mask;
      EXPECT_EQ(opened->port, 0);
      EXPECT_TRUE(Connect().valid());
    }
    EXPECT_FALSE(std::filesystem::exists(Path())) << "it goes with who listened";
  }
}

TEST_F(UnixSocketTest, ThePeerIsTheUser) {
  const auto opened = OpenUnixSocket(Address(), 0600).value();
  const Fd client = Connect();
  const Fd accepted(accept(opened.socket.get(), nullptr, nullptr));
  EXPECT_EQ(UnixPeer(accepted), absl::StrCat("unix:uid=", geteuid()));
}

TEST_F(UnixSocketTest, WhoListensStays) {
  const auto first = OpenUnixSocket(Address(), 0600);
  ASSERT_TRUE(first.ok()) << first.status();
  ExpectRefused(Address(), "another program listens there");
  EXPECT_TRUE(Connect().valid());
}

TEST_F(UnixSocketTest, WhatADeadServerLeftIsReplaced) {
  {
    const auto dead = OpenUnixSocket(Address(), 0600).value();
    std::filesystem::create_hard_link(Path(), Path("left"));
  }
  ASSERT_TRUE(std::filesystem::is_socket(Path("left")));
  const auto opened = OpenUnixSocket(Address("left"), 0600);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE(Connect("left").valid());
}

TEST_F(UnixSocketTest, WhatIsNoSocketStays) {
  std::ofstream(Path()) << "text";
  ExpectRefused(Address(), "no socket");
  EXPECT_EQ(std::filesystem::file_size(Path()), 4u);
  std::filesystem::create_symlink("nowhere", Path("link"));
  ExpectRefused(Address("link"), "no socket");
  ExpectRefused(Address("no/s"), "No such file");
}

// Between a look at what is there and its removal nobody else may begin to listen.
TEST_F(UnixSocketTest, TwoDoNotBeginAtOnce) {
  const Fd other(open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(flock(other.get(), LOCK_EX), 0);
  ExpectRefused(Address(), "another program has locked its folder");
  ASSERT_EQ(flock(other.get(), LOCK_UN), 0);
  EXPECT_TRUE(OpenUnixSocket(Address(), 0600).ok());
}

TEST_F(UnixSocketTest, TheFileOfAnotherStays) {
  {
    const auto opened = OpenUnixSocket(Address(), 0600).value();
    std::filesystem::remove(Path());
    std::ofstream(Path()) << "text";
  }
  EXPECT_TRUE(std::filesystem::exists(Path()));
}

TEST_F(UnixSocketTest, PathsThatAreNoneAreRefused) {
  for (const std::string& path :
       {std::string(), std::string("relative"), folder_ + "/", folder_ + std::string("/\0x", 3)}) {
    const auto opened = OpenUnixSocket("unix:" + path, 0600);
    EXPECT_EQ(opened.status().code(), absl::StatusCode::kInvalidArgument) << path;
  }
  const auto name = [this](size_t bytes) { return std::string(bytes - folder_.size() - 1, 'x'); };
  EXPECT_TRUE(OpenUnixSocket(Address(name(107)), 0600).ok());
  const auto opened = OpenUnixSocket(Address(name(108)), 0600);
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(opened.status().message()),
              HasSubstr("has at most 107 bytes, this one 108"));
}

}  // namespace
}  // namespace longtake
