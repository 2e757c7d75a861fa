// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "storage/database/wal_scan.h"

#include <memory>
#include <span>
#include <vector>

#include "storage/database/wal_format.h"

namespace longtake {
namespace {

// The smallest piece of a file that a crash leaves old or new as a whole.
constexpr uint64_t kSectorBytes = 512;
constexpr size_t kCopyBytes = 256 << 10;

// Judges frame after frame of a log with a valid header.
class Judge {
 public:
  Judge(const File& file, const WalHeader& header, uint64_t pages)
      : file_(file), header_(header), pages_(pages), stored_(header.sum), computed_(header.sum) {}

  // The next frame; DATA_LOSS when it shows that one before it is damaged.
  absl::Status Add(std::span<const std::byte> bytes);
  // What is left of a last frame that is not all there.
  void AddRest(std::span<const std::byte> bytes);
  WalScan scan() const;

 private:
  bool Ours(const WalFrame& frame) const { return frame.salts == header_.salts; }
  uint64_t Offset(uint64_t number) const {
    return kWalHeaderBytes + (number - 1) * (kWalFrameHeaderBytes + header_.page_bytes);
  }
  // Whether the database may have so many pages after a transaction of the frames since the last.
  bool Likely(uint32_t mark) const;
  bool EndsTransaction(const WalFrame& frame, bool intact, std::span<const std::byte> page) const;
  absl::Status Damage() const;

  const File& file_;
  const WalHeader header_;
  uint64_t pages_;  // of the database after the last commit
  uint64_t number_ = 0;
  uint64_t invalid_ = 0;  // number of the first invalid frame
  // The sum after the frame before: what that frame says, and what its bytes give.
  WalSum stored_;
  WalSum computed_;
  bool ended_ = false;  // the frame before is not valid to SQLite and ends a transaction
  WalScan scan_;
};

absl::Status Judge::Add(std::span<const std::byte> bytes) {
  ++number_;
  const WalFrame frame = ReadWalFrame(bytes);
  WalSum computed = SumAfterFrame(stored_, bytes, header_.big_endian);
  if (computed != frame.sum && computed_ != stored_) {
    const WalSum other = SumAfterFrame(computed_, bytes, header_.big_endian);
    if (other == frame.sum) computed = other;
  }
  const bool intact = computed == frame.sum;
  if (invalid_ == 0 && !(intact && Ours(frame))) invalid_ = number_;
  if (ended_ && intact && Ours(frame)) return Damage();
  scan_.tail_frames += Ours(frame) ? 1 : 0;
  if (invalid_ != 0) {
    ended_ = EndsTransaction(frame, intact, bytes.subspan(kWalFrameHeaderBytes));
  } else if (frame.mark != 0) {
    scan_.commits += 1;
    scan_.frames = number_;
    scan_.tail_frames = 0;
    pages_ = frame.mark;
  }
  stored_ = frame.sum;
  computed_ = computed;
  return absl::OkStatus();
}

void Judge::AddRest(std::span<const std::byte> bytes) {
  if (bytes.size() < kWalFrameHeaderBytes) return;
  scan_.tail_frames += Ours(ReadWalFrame(bytes)) ? 1 : 0;
}

bool Judge::Likely(uint32_t mark) const {
  const uint64_t frames = number_ - scan_.frames;
  return mark != 0 && mark + frames >= pages_ && mark <= pages_ + frames;
}

// The mark counts where a checksum vouches for it. Where the frame fits the sums with its page
// number and another mark, that one was written: with a likely size, since some bits of a page,
// when hit, show in the mark alone. Otherwise the page or a sum is damaged and the mark that is
// there is taken, but not when a sector's end between it and the sum may have kept an older one.
bool Judge::EndsTransaction(const WalFrame& frame, bool intact,
                            std::span<const std::byte> page) const {
  if (intact) return frame.mark != 0;
  const WalWords words = WordsBetween(stored_, frame.sum, page, header_.big_endian);
  if (words.page == frame.page) {
    if (Likely(words.mark)) return true;
    if (words.mark == 0 && !Likely(frame.mark)) return false;
  }
  const uint64_t first = Offset(number_);
  const uint64_t last = first + kWalFrameHeaderBytes - 1;
  return first / kSectorBytes == last / kSectorBytes && frame.mark != 0;
}

absl::Status Judge::Damage() const {
  return absl::DataLossError(
      file_.path() + ": frame " + std::to_string(invalid_) + " at byte " +
      std::to_string(Offset(invalid_)) + " is damaged: a later transaction follows it with frame " +
      std::to_string(number_) + " at byte " + std::to_string(Offset(number_)));
}

WalScan Judge::scan() const {
  WalScan scan = scan_;
  if (scan.tail_frames > 0) {
    scan.state = WalState::kTornTail;
  } else if (scan.commits > 0) {
    scan.state = WalState::kWhole;
  }
  return scan;
}

// Whether any frame of this size and byte order follows from the one before it.
absl::StatusOr<bool> AnyFrameFollows(File& file, std::span<const std::byte> header_bytes,
                                     uint32_t page_bytes, bool big_endian) {
  const WalHeader header = ReadWalHeader(header_bytes, big_endian);
  std::vector<std::byte> bytes(kWalFrameHeaderBytes + page_bytes);
  WalSum stored = header.sum;
  for (uint64_t offset = kWalHeaderBytes;; offset += bytes.size()) {
    LT_ASSIGN_OR_RETURN(const size_t read, file.ReadUpTo(offset, bytes));
    if (read < bytes.size()) return false;
    const WalFrame frame = ReadWalFrame(bytes);
    bool follows = SumAfterFrame(stored, bytes, big_endian) == frame.sum;
    if (offset == kWalHeaderBytes) {
      follows |= SumAfterFrame(header.computed_sum, bytes, big_endian) == frame.sum;
    }
    if (follows && frame.page != 0) return true;  // zeros follow from zeros
    stored = frame.sum;
  }
}

// A sync that failed leaves bytes in memory that count as written and are not on the disk: another
// sync passes over them, but not once they were written again. A process that was killed after one
// left no word of it.
absl::Status WriteAgain(File& file) {
  std::vector<std::byte> bytes(kCopyBytes);
  for (uint64_t offset = 0;; offset += bytes.size()) {
    LT_ASSIGN_OR_RETURN(const size_t read, file.ReadUpTo(offset, bytes));
    LT_RETURN_IF_ERROR(file.WriteAt(offset, std::span(bytes).first(read)));
    if (read < bytes.size()) return absl::OkStatus();
  }
}

// A header is synced before the first frame behind it is written.
absl::StatusOr<WalScan> JudgeBadHeader(File& file, std::span<const std::byte> header_bytes) {
  for (uint32_t page_bytes = kWalPageBytesMin; page_bytes <= kWalPageBytesMax; page_bytes *= 2) {
    for (const bool big_endian : {false, true}) {
      LT_ASSIGN_OR_RETURN(const bool any,
                          AnyFrameFollows(file, header_bytes, page_bytes, big_endian));
      if (!any) continue;
      return absl::DataLossError(file.path() +
                                 ": the header at byte 0 is damaged, with frames behind it");
    }
  }
  return WalScan{};
}

}  // namespace

absl::StatusOr<WalScan> ScanWal(FileSystem& files, const std::string& database_path) {
  const std::string path = database_path + "-wal";
  const absl::StatusOr<uint64_t> size = files.Size(path);
  if (absl::IsNotFound(size.status())) return WalScan{};
  LT_RETURN_IF_ERROR(size);
  LT_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files.OpenReadWrite(path));
  LT_RETURN_IF_ERROR(WriteAgain(*file));
  LT_RETURN_IF_ERROR(file->Sync());

  std::vector<std::byte> header_bytes(kWalHeaderBytes);
  LT_ASSIGN_OR_RETURN(const size_t header_read, file->ReadUpTo(0, header_bytes));
  if (header_read < kWalHeaderBytes) return WalScan{};
  const WalHeader header = ReadWalHeader(header_bytes);
  if (!header.valid()) return JudgeBadHeader(*file, header_bytes);

  std::vector<std::byte> bytes(kWalFrameHeaderBytes + header.page_bytes);
  const uint64_t database_bytes = files.Size(database_path).value_or(0);
  Judge judge(*file, header, database_bytes / header.page_bytes);
  for (uint64_t offset = kWalHeaderBytes;; offset += bytes.size()) {
    LT_ASSIGN_OR_RETURN(const size_t read, file->ReadUpTo(offset, bytes));
    if (read < bytes.size()) {
      judge.AddRest(std::span(bytes).first(read));
      return judge.scan();
    }
    LT_RETURN_IF_ERROR(judge.Add(bytes));
  }
}

}  // namespace longtake
