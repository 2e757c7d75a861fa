// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "base/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

#include "tests/storage/fault_file.h"
#include "tests/storage/memory_files.h"

namespace longtake {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// What a trace told, from any thread.
class Told {
 public:
  Trace::Tell AsTell() {
    return [this](const absl::Status& why) {
      MutexLock lock(mutex_);
      messages_.push_back(std::string(why.message()));
      changed_.NotifyAll();
    };
  }
  std::vector<std::string> messages() {
    MutexLock lock(mutex_);
    return messages_;
  }
  void WaitForOne() {
    MutexLock lock(mutex_);
    while (messages_.empty()) changed_.Wait(mutex_);
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> messages_ ABSL_GUARDED_BY(mutex_);
};

class TraceTest : public ::testing::Test {
 protected:
  std::string Text() {
    const auto& bytes = memory_.Contents("trace.json");
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  std::unique_ptr<Trace> Open() {
    return Trace::Create(files_, "trace.json", told_.AsTell()).value();
  }

  MemoryFileSystem memory_;
  FaultFileSystem files_{memory_};
  Told told_;
};

TEST_F(TraceTest, HasEverySpanOnItsTrack) {
  Open()->Span("disk", "layer \"1\"", 1000, 3500, "a\nb");
  EXPECT_EQ(Text(),
            "[\n"
            R"({"ph":"M","pid":1,"tid":1,"name":"thread_name","args":{"name":"disk"}},)"
            "\n"
            R"({"ph":"X","pid":1,"tid":1,"name":"layer \"1\"","ts":1.000,"dur":2.500,)"
            R"("args":{"detail":"a\u000ab"}},)"
            "\n{}]\n");
  EXPECT_THAT(told_.messages(), ElementsAre());
}

TEST_F(TraceTest, TheFirstWriteThatFailsEndsItAndIsToldOnce) {
  files_.set_decide_write([](const auto& attempt) { return attempt.bytes > 2 ? ENOSPC : 0; });
  const auto trace = Open();
  for (int i = 0; i < 1000; ++i) trace->Span("track", "span", i, i + 1);
  told_.WaitForOne();
  for (int i = 0; i < 1000; ++i) trace->Span("track", "span", i, i + 1);
  EXPECT_THAT(told_.messages(), ElementsAre(HasSubstr("trace.json at byte")));
  EXPECT_LE(Text().size(), 2u);
}

TEST_F(TraceTest, AFullDiskAtTheVeryEndIsToldToo) {
  files_.set_decide_write([](const auto&) { return EIO; });
  Open();
  EXPECT_THAT(told_.messages(), ElementsAre(HasSubstr("trace.json")));
}

TEST_F(TraceTest, ADiskThatTakesNothingKeepsNobodyWaiting) {
  std::atomic<bool> disk_works{false};
  files_.set_decide_write([&](const auto&) {
    while (!disk_works) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return 0;
  });
  const std::string detail(1 << 16, 'x');
  {
    const auto trace = Open();
    for (size_t i = 0; i < 3 * Trace::kUnwrittenBytesMax / detail.size(); ++i) {
      trace->Span("track", "span", 0, 1, detail);
    }
    EXPECT_THAT(told_.messages(), ElementsAre(HasSubstr("spans are left out")));
    disk_works = true;
  }
  EXPECT_LT(Text().size(), 2 * Trace::kUnwrittenBytesMax + 2 * detail.size());
  EXPECT_THAT(Text(), testing::EndsWith("{}]\n"));
}

TEST_F(TraceTest, OnlyAFileCanHoldIt) {
  const auto trace = Trace::Create(PosixFileSystem(), "/dev/full", told_.AsTell());
  EXPECT_EQ(trace.status().message(), "trace: /dev/full is a device, not a file");
  EXPECT_THAT(
      std::string(
          Trace::Create(PosixFileSystem(), "/nowhere/t", told_.AsTell()).status().message()),
      StartsWith("trace: create /nowhere/t"));
}

}  // namespace
}  // namespace longtake
