#pragma once
// What a pool keeps of one sandbox until a run takes it.
#include <memory>
#include <string>

#include "policy/seccomp_program.h"
#include "runner/bounds.h"
#include "runner/identity.h"
#include "runner/root_plan.h"
#include "runner/sys/unique_fd.h"
#include "runner/template.h"

namespace progtc::runner {

// A template, and what all sandboxes of it share. They keep it alive: with it, every one of them dies.
struct Nest {
  policy::Policy policy;  // as enforced
  std::string policy_digest;
  Identity identity;
  RootPlan plan;
  policy::SeccompProgram filter;
  std::unique_ptr<Template> parent;
};

struct Parked {
  std::shared_ptr<const Nest> nest;  // declared first: goes last
  Bounds bounds;
  sys::UniqueFd oom_event;
  Sandbox sandbox;
};

}  // namespace progtc::runner
