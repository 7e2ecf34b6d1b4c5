#pragma once
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace progtc::sys {

// Owns one descriptor. -1 means none; 0 is a valid descriptor.
class UniqueFd {
 public:
  UniqueFd() noexcept = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(other.release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { reset(); }

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset(int fd = -1) noexcept {
    const int old = std::exchange(fd_, fd);
    if (old < 0) return;
    const int saved = errno;  // a destructor must not rewrite the failure being reported
    ::close(old);             // never retried: on EINTR Linux has already freed the number (close(2))
    errno = saved;
  }

 private:
  int fd_ = -1;
};

}  // namespace progtc::sys
