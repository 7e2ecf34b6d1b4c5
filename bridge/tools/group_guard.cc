#include "bridge/tools/group_guard.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

namespace progtc::bridge {
namespace {

// More groups than this at once are ended by the host alone; the policy's cap on pending calls is far below it.
constexpr std::size_t kMaxGroups = 4096;

[[noreturn]] void guard(int pipe) {
  ::setsid();  // a signal from the terminal is for the host
  (void)::prctl(PR_SET_NAME, "progtc-guard", 0, 0, 0);
  // The only descriptor kept: an open end of anything else would hold its peer up.
  if (::dup2(pipe, STDIN_FILENO) == -1) ::_exit(1);
  (void)::close_range(STDIN_FILENO + 1, ~0U, 0);
  static std::array<pid_t, kMaxGroups> groups{};
  pid_t said = 0;
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, &said, sizeof said);
    if (got == -1 && errno == EINTR) continue;
    if (got != static_cast<ssize_t>(sizeof said)) break;
    for (pid_t& group : groups) {
      if (group != (said > 0 ? 0 : -said)) continue;
      group = said > 0 ? said : 0;
      break;
    }
  }
  for (const pid_t group : groups)
    if (group > 0) ::kill(-group, SIGKILL);
  ::_exit(0);
}

}  // namespace

GroupGuard& GroupGuard::instance() {
  static GroupGuard the_guard;
  return the_guard;
}

GroupGuard::GroupGuard() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) == -1) return;  // tools still end with the run, only not with a kill of ours
  guard_ = ::fork();
  if (guard_ == 0) {
    ::close(ends[1]);
    guard(ends[0]);
  }
  ::close(ends[0]);
  if (guard_ == -1) {
    ::close(ends[1]);
    return;
  }
  pipe_ = ends[1];
}

GroupGuard::~GroupGuard() {
  if (pipe_ == -1) return;
  ::close(pipe_);
  while (::waitpid(guard_, nullptr, 0) == -1 && errno == EINTR) {
  }
}

void GroupGuard::tell(pid_t signed_group) const {
  // Below PIPE_BUF: written whole. EPIPE: somebody has killed the guard, and the host alone is left to end its tools.
  if (pipe_ != -1) (void)!::write(pipe_, &signed_group, sizeof signed_group);
}

void GroupGuard::add(pid_t group) { tell(group); }
void GroupGuard::remove(pid_t group) { tell(-group); }

}  // namespace progtc::bridge
