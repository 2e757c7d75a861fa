// Copyright 2026 The longtake authors. SPDX-License-Identifier: Apache-2.0
#include "tests/storage/file_system_vfs.h"

#include <cstring>
#include <memory>
#include <span>

namespace longtake {
namespace {

// What SQLite keeps for an open file, in memory of its own.
struct VfsFile {
  sqlite3_file base;
  FileSystem* files;
  std::unique_ptr<File> file;
  bool name_unsynced;
};

VfsFile& Self(sqlite3_file* file) { return *reinterpret_cast<VfsFile*>(file); }
FileSystem& Files(sqlite3_vfs* vfs) { return *static_cast<FileSystem*>(vfs->pAppData); }

int Answer(const absl::Status& status, int failure) {
  if (status.ok()) return SQLITE_OK;
  return absl::IsResourceExhausted(status) && failure == SQLITE_IOERR_WRITE ? SQLITE_FULL : failure;
}

int Close(sqlite3_file* file) {
  std::destroy_at(&Self(file));
  return SQLITE_OK;
}

int Read(sqlite3_file* file, void* out, int bytes, sqlite3_int64 offset) {
  const std::span<std::byte> span(static_cast<std::byte*>(out), static_cast<size_t>(bytes));
  const auto read = Self(file).file->ReadUpTo(static_cast<uint64_t>(offset), span);
  if (!read.ok()) return SQLITE_IOERR_READ;
  if (*read == span.size()) return SQLITE_OK;
  std::memset(span.data() + *read, 0, span.size() - *read);
  return SQLITE_IOERR_SHORT_READ;
}

int Write(sqlite3_file* file, const void* data, int bytes, sqlite3_int64 offset) {
  const std::span<const std::byte> span(static_cast<const std::byte*>(data),
                                        static_cast<size_t>(bytes));
  return Answer(Self(file).file->WriteAt(static_cast<uint64_t>(offset), span), SQLITE_IOERR_WRITE);
}

int Truncate(sqlite3_file* file, sqlite3_int64 bytes) {
  return Answer(Self(file).file->Truncate(static_cast<uint64_t>(bytes)), SQLITE_IOERR_TRUNCATE);
}

int Sync(sqlite3_file* file, int) {
  VfsFile& self = Self(file);
  if (const absl::Status status = self.file->Sync(); !status.ok()) return SQLITE_IOERR_FSYNC;
  if (!self.name_unsynced) return SQLITE_OK;
  self.name_unsynced = false;
  return Answer(self.files->SyncDir(DirName(self.file->path())), SQLITE_IOERR_DIR_FSYNC);
}

int FileSize(sqlite3_file* file, sqlite3_int64* out) {
  const auto bytes = Self(file).file->Size();
  *out = static_cast<sqlite3_int64>(bytes.value_or(0));
  return Answer(bytes.status(), SQLITE_IOERR_FSTAT);
}

int Lock(sqlite3_file*, int) { return SQLITE_OK; }
int CheckReservedLock(sqlite3_file*, int* out) {
  *out = 0;
  return SQLITE_OK;
}
int FileControl(sqlite3_file*, int op, void* argument) {
  if (op != SQLITE_FCNTL_MMAP_SIZE) return SQLITE_NOTFOUND;
  *static_cast<sqlite3_int64*>(argument) = 0;  // nothing is mapped, whatever was asked
  return SQLITE_OK;
}
int SectorSize(sqlite3_file*) { return 4096; }
int Characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

// The first version has no shared memory, which a database for one process does without.
constexpr sqlite3_io_methods kMethods = {
    .iVersion = 1,
    .xClose = Close,
    .xRead = Read,
    .xWrite = Write,
    .xTruncate = Truncate,
    .xSync = Sync,
    .xFileSize = FileSize,
    .xLock = Lock,
    .xUnlock = Lock,
    .xCheckReservedLock = CheckReservedLock,
    .xFileControl = FileControl,
    .xSectorSize = SectorSize,
    .xDeviceCharacteristics = Characteristics,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* out, int flags, int* flags_out) {
  out->pMethods = nullptr;
  if (name == nullptr) return SQLITE_CANTOPEN;  // temporary files are in memory
  const bool there = Files(vfs).Size(name).ok();
  if (!there && (flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
  auto file = Files(vfs).OpenReadWrite(name);
  if (!file.ok()) return SQLITE_CANTOPEN;
  const bool log = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
  std::construct_at(reinterpret_cast<VfsFile*>(out),
                    VfsFile{.base = {.pMethods = &kMethods},
                            .files = &Files(vfs),
                            .file = std::move(*file),
                            .name_unsynced = log && (flags & SQLITE_OPEN_CREATE) != 0});
  if (flags_out != nullptr) *flags_out = flags;
  return SQLITE_OK;
}

int Delete(sqlite3_vfs* vfs, const char* name, int sync_directory) {
  const absl::Status removed = Files(vfs).Remove(name);
  if (absl::IsNotFound(removed)) return SQLITE_IOERR_DELETE_NOENT;
  if (!removed.ok()) return SQLITE_IOERR_DELETE;
  if (sync_directory == 0) return SQLITE_OK;
  return Answer(Files(vfs).SyncDir(DirName(name)), SQLITE_IOERR_DIR_FSYNC);
}

int Access(sqlite3_vfs* vfs, const char* name, int, int* out) {
  *out = Files(vfs).Size(name).value_or(0) > 0 ? 1 : 0;
  return SQLITE_OK;
}

int FullPathname(sqlite3_vfs*, const char* name, int bytes, char* out) {
  sqlite3_snprintf(bytes, out, "%s", name);
  return SQLITE_OK;
}

int Randomness(sqlite3_vfs*, int bytes, char* out) {
  std::memset(out, 0, static_cast<size_t>(bytes));
  return bytes;
}
int Sleep(sqlite3_vfs*, int) { return 0; }
int CurrentTime(sqlite3_vfs*, double* out) {
  *out = 2461000.5;
  return SQLITE_OK;
}
int GetLastError(sqlite3_vfs*, int, char*) { return 0; }

}  // namespace

FileSystemVfs::FileSystemVfs(FileSystem& files, uint32_t seed) {
  static int count = 0;
  name_ = "file-system-" + std::to_string(++count);
  vfs_.iVersion = 1;
  vfs_.szOsFile = sizeof(VfsFile);
  vfs_.mxPathname = 512;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = &files;
  vfs_.xOpen = Open;
  vfs_.xDelete = Delete;
  vfs_.xAccess = Access;
  vfs_.xFullPathname = FullPathname;
  vfs_.xRandomness = Randomness;
  vfs_.xSleep = Sleep;
  vfs_.xCurrentTime = CurrentTime;
  vfs_.xGetLastError = GetLastError;
  LT_CHECK(sqlite3_vfs_register(&vfs_, 0) == SQLITE_OK);
  sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, static_cast<int>(seed), nullptr);
}

FileSystemVfs::~FileSystemVfs() { sqlite3_vfs_unregister(&vfs_); }

}  // namespace longtake
