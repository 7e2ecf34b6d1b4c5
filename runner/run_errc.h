#pragma once
#include <string>

#include <boost/system/error_code.hpp>

#include "policy/result.h"

namespace progtc::runner {

// Why a sandbox could not be made. Everything here ends as OutcomeKind::kSetupFailed and exit status 125.
enum class RunErrc {
  kNoInterpreter = 1,  // no Python of at least 3.9 where the policy says
  kNoUserNamespaces,   // the kernel or an administrator forbids them
  kBindSource,         // a source of a bind is missing, unreadable or was swapped
  kBindTarget,         // a target cannot exist
  kSetupStep,          // a step between clone and user code failed; the text names it
  kControlMissing,     // a control was asked for and no mechanism could apply it
  kTemplateDied,       // the interpreter did not come up
  kNoIdentity,         // no free user id in the range for sandboxes
};
const boost::system::error_category& run_category() noexcept;
inline boost::system::error_code make_error_code(RunErrc code) noexcept {
  return {static_cast<int>(code), run_category()};
}
inline Error run_error(RunErrc code, std::string context) { return Error{make_error_code(code), std::move(context)}; }

// "mounting the fresh /proc", for a step of runner/guest/control.h.
const char* step_name(unsigned step) noexcept;
// What usually helps when this step fails with this errno; empty when nothing is known.
std::string step_advice(unsigned step, int error);

}  // namespace progtc::runner
