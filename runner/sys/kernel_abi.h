#pragma once
// Kernel numbers newer than the headers of the oldest system we build on (Debian 12: Linux 6.1 headers, glibc 2.36),
// and the calls glibc has no function for. No allocation, so runner/child may use it. glibc's <sys/mount.h> declares
// the mount API; <linux/mount.h> declares it again and the two cannot be included together.
#include <linux/openat2.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace progtc::sys {

inline int raw_openat2(int dir, const char* path, const open_how* how) noexcept {
  return static_cast<int>(::syscall(SYS_openat2, dir, path, how, sizeof *how));
}
inline int raw_pivot_root(const char* new_root, const char* put_old) noexcept {
  return static_cast<int>(::syscall(SYS_pivot_root, new_root, put_old));
}
// <sys/pidfd.h> of glibc 2.36 lacks extern "C", so C++ cannot link to its functions.
inline int raw_pidfd_open(pid_t pid) noexcept { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

// A pidfd is readable once its process has ended, a zombie's too (pidfd_open(2)).
inline bool is_running(int pidfd) noexcept {
  pollfd watched{pidfd, POLLIN, 0};
  return ::poll(&watched, 1, 0) == 0;
}

inline int raw_pidfd_send_signal(int pidfd, int signal) noexcept {
  return static_cast<int>(::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}
inline long raw_clone3(clone_args* args) noexcept { return ::syscall(SYS_clone3, args, sizeof *args); }

}  // namespace progtc::sys
