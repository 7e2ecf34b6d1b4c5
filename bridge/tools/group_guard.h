#pragma once
#include <sys/types.h>

namespace progtc::bridge {

// Ends the process groups of tools under way when this process dies without a chance to: killed, or crashed. One small
// process of our own holds the other end of a pipe and a list of groups; at end of file it kills what is on the list.
// It starts with the first tool. Single-threaded, like the event loop that runs tools.
class GroupGuard {
 public:
  static GroupGuard& instance();
  void add(pid_t group);     // right after the tool has started
  void remove(pid_t group);  // before its leader is reaped, while the number cannot be another's

  GroupGuard(const GroupGuard&) = delete;
  GroupGuard& operator=(const GroupGuard&) = delete;

 private:
  GroupGuard();
  ~GroupGuard();
  void tell(pid_t signed_group) const;

  int pipe_ = -1;
  pid_t guard_ = -1;
};

}  // namespace progtc::bridge
