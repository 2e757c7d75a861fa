// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "client/mp4_tail.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/file_system.h"

namespace longtake {
namespace {

constexpr uint64_t kInitBytesMax = 1 << 20;
constexpr uint64_t kMfhdBytes = 16;

struct Box {
  std::string type;
  uint64_t begin = 0;
  uint64_t body = 0;
  uint64_t end = 0;
};

uint64_t BigEndian(const char* bytes, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

class BoxReader {
 public:
  explicit BoxReader(File& file) : file_(file) {}

  absl::StatusOr<std::string> Bytes(uint64_t begin, uint64_t count) {
    std::string out(count, '\0');
    LT_RETURN_IF_ERROR(file_.ReadAt(begin, std::as_writable_bytes(std::span(out))));
    return out;
  }

  // Nothing when it does not end within limit.
  absl::StatusOr<std::optional<Box>> BoxAt(uint64_t begin, uint64_t limit) {
    if (limit - begin < 8) return std::nullopt;
    LT_ASSIGN_OR_RETURN(const std::string header,
                        Bytes(begin, std::min<uint64_t>(16, limit - begin)));
    uint64_t size = BigEndian(header.data(), 4);
    uint64_t header_bytes = 8;
    if (size == 1 && header.size() == 16) {
      size = BigEndian(header.data() + 8, 8);
      header_bytes = 16;
    }
    if (size < header_bytes || size > limit - begin) return std::nullopt;
    return Box{.type = header.substr(4, 4),
               .begin = begin,
               .body = begin + header_bytes,
               .end = begin + size};
  }

  // mfhd's number; it is the first box of a moof.
  absl::StatusOr<std::optional<int64_t>> SequenceOf(const Box& moof) {
    LT_ASSIGN_OR_RETURN(const std::optional<Box> mfhd, BoxAt(moof.body, moof.end));
    if (!mfhd.has_value() || mfhd->type != "mfhd" || mfhd->end - mfhd->begin != kMfhdBytes) {
      return std::nullopt;
    }
    LT_ASSIGN_OR_RETURN(const std::string number, Bytes(mfhd->end - 4, 4));
    return static_cast<int64_t>(BigEndian(number.data(), 4));
  }

 private:
  File& file_;
};

absl::Status NotOurs(const std::string& path, const std::string& why) {
  return absl::FailedPreconditionError(
      absl::StrCat(path, ": is no video that longtake wrote: ", why));
}

}  // namespace

absl::StatusOr<Mp4Tail> ReadMp4Tail(const std::string& path) {
  LT_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                      PosixFileSystem().OpenRead(path, ReadMode::kBuffered));
  LT_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  BoxReader reader(*file);
  LT_ASSIGN_OR_RETURN(const std::optional<Box> ftyp, reader.BoxAt(0, size));
  if (!ftyp.has_value() || ftyp->type != "ftyp") return NotOurs(path, "it has no ftyp");
  LT_ASSIGN_OR_RETURN(const std::optional<Box> moov, reader.BoxAt(ftyp->end, size));
  if (!moov.has_value() || moov->type != "moov" || moov->end > kInitBytesMax) {
    return NotOurs(path, "it has no moov before its fragments");
  }
  Mp4Tail tail;
  tail.whole_bytes = static_cast<int64_t>(moov->end);
  LT_ASSIGN_OR_RETURN(tail.init_segment, reader.Bytes(0, moov->end));
  for (uint64_t at = moov->end;;) {
    LT_ASSIGN_OR_RETURN(const std::optional<Box> moof, reader.BoxAt(at, size));
    if (!moof.has_value()) return tail;
    LT_ASSIGN_OR_RETURN(const std::optional<Box> mdat, reader.BoxAt(moof->end, size));
    if (moof->type != "moof" || (mdat.has_value() && mdat->type != "mdat")) {
      return NotOurs(path, absl::StrCat("no fragment at byte ", at));
    }
    if (!mdat.has_value()) return tail;
    LT_ASSIGN_OR_RETURN(const std::optional<int64_t> sequence, reader.SequenceOf(*moof));
    // The first may be any, of a client that attached late.
    const bool follows = tail.next_chunk == 0 || sequence == tail.next_chunk + 1;
    if (!sequence.has_value() || *sequence < 1 || !follows) {
      return NotOurs(path, absl::StrCat("the fragment at byte ", at, " is not the next one"));
    }
    tail.next_chunk = *sequence;
    tail.whole_bytes = static_cast<int64_t>(mdat->end);
    at = mdat->end;
  }
}

}  // namespace longtake
