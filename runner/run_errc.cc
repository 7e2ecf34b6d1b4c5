#include "runner/run_errc.h"

#include <cerrno>

#include "runner/guest/control.h"

namespace progtc::runner {
namespace {

class RunCategory final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "progtc.run"; }
  std::string message(int value) const override {
    switch (static_cast<RunErrc>(value)) {
      case RunErrc::kNoInterpreter:
        return "no usable Python interpreter";
      case RunErrc::kNoUserNamespaces:
        return "user namespaces are not available";
      case RunErrc::kBindSource:
        return "the source of a bind cannot be used";
      case RunErrc::kBindTarget:
        return "the target of a bind cannot be used";
      case RunErrc::kSetupStep:
        return "a step of the set-up failed";
      case RunErrc::kControlMissing:
        return "a control cannot be enforced";
      case RunErrc::kTemplateDied:
        return "the interpreter did not start";
      case RunErrc::kNoIdentity:
        return "no free user id for the sandbox";
    }
    return "unknown";
  }
};

}  // namespace

const boost::system::error_category& run_category() noexcept {
  static const RunCategory kCategory;
  return kCategory;
}

const char* step_name(unsigned step) noexcept {
  switch (step) {
    case PROGTC_STEP_USER_MAP:
      return "entering the user namespace";
    case PROGTC_STEP_BIND_SOURCE:
      return "opening the source of a bind";
    case PROGTC_STEP_IDENTITY:
      return "taking the sandbox's identity";
    case PROGTC_STEP_PRIVATE_MOUNTS:
      return "making the mounts private";
    case PROGTC_STEP_ROOT:
      return "mounting the root view";
    case PROGTC_STEP_ROOT_ENTRY:
      return "filling the root view";
    case PROGTC_STEP_BIND_ATTRIBUTES:
      return "setting the attributes of a bind";
    case PROGTC_STEP_BIND_TARGET:
      return "attaching a bind";
    case PROGTC_STEP_PROC:
      return "mounting the template's /proc";
    case PROGTC_STEP_PIVOT:
      return "entering the root view";
    case PROGTC_STEP_DESCRIPTORS:
      return "arranging descriptors";
    case PROGTC_STEP_PARENT_DEATH:
      return "asking to die with the parent";
    case PROGTC_STEP_EXEC:
      return "executing the interpreter";
    case PROGTC_STEP_REQUEST:
      return "reading the spawn request";
    case PROGTC_STEP_CLONE:
      return "cloning into fresh namespaces";
    case PROGTC_STEP_CGROUP:
      return "entering the cgroup";
    case PROGTC_STEP_NESTED_USER_MAP:
      return "mapping the sandbox's user";
    case PROGTC_STEP_FRESH_PROC:
      return "mounting the fresh /proc";
    case PROGTC_STEP_TMPFS:
      return "mounting a private tmpfs";
    case PROGTC_STEP_LATE_BIND:
      return "attaching a bind below a private file system";
    case PROGTC_STEP_HOST_NAME:
      return "setting the host name";
    case PROGTC_STEP_LOOPBACK:
      return "bringing up the loopback interface";
    case PROGTC_STEP_FORK:
      return "forking the worker";
    case PROGTC_STEP_STDIO:
      return "arranging the worker's descriptors";
    case PROGTC_STEP_RLIMITS:
      return "setting resource limits";
    case PROGTC_STEP_AFFINITY:
      return "choosing processors";
    case PROGTC_STEP_CAPABILITIES:
      return "dropping capabilities";
    case PROGTC_STEP_NO_NEW_PRIVS:
      return "setting no_new_privs";
    case PROGTC_STEP_LANDLOCK:
      return "applying Landlock";
    case PROGTC_STEP_SECCOMP:
      return "installing the system call filter";
    case PROGTC_STEP_OUTPUT_MEMORY:
      return "mapping the buffer of stdout";
    default:
      return "an unknown step";
  }
}

std::string step_advice(unsigned step, int error) {
  const bool is_namespace_step =
      step == PROGTC_STEP_CLONE || step == PROGTC_STEP_USER_MAP || step == PROGTC_STEP_IDENTITY;
  if (is_namespace_step && (error == EPERM || error == EACCES))
    return "user namespaces are restricted here (kernel.apparmor_restrict_unprivileged_userns, "
           "kernel.unprivileged_userns_clone or a container's seccomp profile); `progtc doctor` says which";
  if (error == ENOSPC && is_namespace_step)
    return "the limit user.max_user_namespaces or another in /proc/sys/user is reached";
  // mount(2) and move_mount(2) use it for the mount table, never for a disk.
  if (error == ENOSPC) return "the mount table is full (fs.mount-max), not a disk";
  if (step == PROGTC_STEP_BIND_SOURCE && error == ESTALE) return "it was replaced while the sandbox was being set up";
  if (step == PROGTC_STEP_BIND_SOURCE && error == ELOOP)
    return "it, or a directory above it, has become a symbolic link";
  return "";
}

}  // namespace progtc::runner
