// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "server/port_file.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace longtake {
namespace {

class PortFileTest : public ::testing::Test {
 protected:
  PortFileTest() {
    std::string name = (std::filesystem::temp_directory_path() / "longtake-port-XXXXXX").string();
    LT_CHECK(mkdtemp(name.data()) != nullptr);
    folder_ = name;
    path_ = folder_ + "/port";
  }
  ~PortFileTest() override { std::filesystem::remove_all(folder_); }

  std::string Read() const {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool Exists() const { return std::filesystem::exists(path_); }

  std::string folder_;
  std::string path_;
};

TEST_F(PortFileTest, IsThereAsLongAsItsServer) {
  PortFile file(path_);
  ASSERT_TRUE(file.Write(5000).ok());
  EXPECT_EQ(Read(), "5000\n");
  file.Remove();
  EXPECT_FALSE(Exists());
  EXPECT_TRUE(file.Write(5000).ok());
  EXPECT_FALSE(Exists()) << "its server has ended";
}

TEST_F(PortFileTest, OfAServerThatIsGoneItIsRemovedOfOneThatLivesNot) {
  {
    PortFile killed(path_);
    ASSERT_TRUE(killed.Write(5000).ok());
  }
  ASSERT_TRUE(Exists()) << "nobody removed it";
  PortFile(path_).RemoveStale();
  EXPECT_FALSE(Exists());
  PortFile living(path_);
  ASSERT_TRUE(living.Write(5001).ok());
  PortFile(path_).RemoveStale();
  EXPECT_EQ(Read(), "5001\n");
}

TEST_F(PortFileTest, TheLatestServersStays) {
  PortFile first(path_);
  PortFile second(path_);
  ASSERT_TRUE(first.Write(5000).ok());
  ASSERT_TRUE(second.Write(5001).ok());
  first.Remove();
  EXPECT_EQ(Read(), "5001\n");
}

TEST_F(PortFileTest, AnotherKindOfFileIsLeftAlone) {
  std::filesystem::create_symlink(folder_ + "/elsewhere", path_);
  PortFile(path_).RemoveStale();
  EXPECT_TRUE(std::filesystem::is_symlink(path_));
  PortFile("").RemoveStale();
  EXPECT_TRUE(PortFile("").Write(1).ok());
}

}  // namespace
}  // namespace longtake
