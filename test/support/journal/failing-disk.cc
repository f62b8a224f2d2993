// Preloaded into a gateway: calls on the files of a journal fail as the file FAILING_DISK says, `<call> <error number>`.
//   call: `write`, `short` (each write takes 7 bytes at most, without an error), `fsync`, `rename`, `gzip` (writes of compressed drafts), `open`
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <string>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

bool ends(const std::string &text, const char *with) {
  const std::string end = with;
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string pathOf(int file) {
  char link[64];
  char path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, path, sizeof path);
  return length < 0 ? "" : std::string(path, length);
}

/** The error number that is ordered for a call; 0: none. */
int ordered(const char *call) {
  const char *name = std::getenv("FAILING_DISK");
  if (name == nullptr) return 0;
  const int file = syscall(SYS_openat, AT_FDCWD, name, O_RDONLY);
  if (file < 0) return 0;
  char text[64] = {0};
  syscall(SYS_read, file, text, sizeof text - 1);
  syscall(SYS_close, file);
  char wanted[32] = {0};
  int error = 0;
  if (std::sscanf(text, "%31s %d", wanted, &error) != 2) return 0;
  return std::strcmp(wanted, call) == 0 ? error : 0;
}

template <typename Call> Call *next(const char *name) { return reinterpret_cast<Call *>(dlsym(RTLD_NEXT, name)); }

/** @returns how many bytes to write; -1: none, with errno */
ssize_t allowed(int file, size_t length) {
  const std::string path = pathOf(file);
  if (!ends(path, "sealing.new") && !ends(path, ".mjl")) return length;
  if (ends(path, ".mjl") && ordered("short") != 0) return length < 7 ? length : 7;
  errno = ordered(ends(path, ".mjl") ? "write" : "gzip");
  return errno == 0 ? length : -1;
}

bool refused(const char *path) {
  errno = ends(path, ".mjl") ? ordered("open") : 0;
  return errno != 0;
}

} // namespace

extern "C" {

ssize_t write(int file, const void *bytes, size_t length) {
  static auto *real = next<ssize_t(int, const void *, size_t)>("write");
  const ssize_t count = allowed(file, length);
  return count < 0 ? -1 : real(file, bytes, count);
}

int fsync(int file) {
  static auto *real = next<int(int)>("fsync");
  errno = ends(pathOf(file), ".mjl") ? ordered("fsync") : 0;
  return errno == 0 ? real(file) : -1;
}

int rename(const char *from, const char *to) {
  static auto *real = next<int(const char *, const char *)>("rename");
  errno = ends(from, ".new") ? ordered("rename") : 0;
  return errno == 0 ? real(from, to) : -1;
}

int open(const char *path, int flags, ...) {
  static auto *real = next<int(const char *, int, ...)>("open");
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  return refused(path) ? -1 : real(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
  static auto *real = next<int(const char *, int, ...)>("open64");
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  return refused(path) ? -1 : real(path, flags, mode);
}
}
