#pragma once
// One run, from policy to outcome.
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "policy/model.h"
#include "runner/channel_peer.h"
#include "runner/host_stream.h"
#include "runner/job.h"
#include "runner/outcome.h"
#include "runner/root_plan.h"
#include "runner/work_files.h"

struct seccomp_notif;

namespace progtc::runner {

// The controls a caller may give up by name, as --allow-degraded=CONTROL.
inline constexpr const char* kDegradable[] = {"cgroup", "cpus", "landlock"};

struct RunRequest {
  policy::Policy policy;
  Job job;  // `executable`, `site` and `frame_bytes` are filled in by the run
  // The last word on the job once the root view is known: working directory, sys.path. May be empty.
  std::function<void(const RootPlan&, Job&)> place;
  std::vector<FileToCopy> files;  // into the working directory
  std::string out_dir;            // host directory for what the code leaves in /out; empty: no /out
  HostStream* in = nullptr;       // null: the code reads end of file
  HostStream* out = nullptr;      // null: captured only
  HostStream* err = nullptr;
  std::size_t capture_bytes = 1 << 20;  // of each stream, kept in the outcome
  std::set<std::string> allow_degraded;
  std::string project_dir;  // what "@project" means
  std::string guest_dir;    // where the guest runtime is installed
  // The policy learner: decides on each call that the filter does not allow, true lets it happen. Such a run has no
  // Landlock.
  std::function<bool(const seccomp_notif&)> learn;
};

// A handle to end a run from outside: `cancel` may be called at any time, more than once.
class RunHandle {
 public:
  void cancel(int signal, std::string cause) {
    if (on_cancel_) on_cancel_(signal, std::move(cause));
  }

 private:
  friend class Supervisor;
  std::function<void(int, std::string)> on_cancel_;
};

// Sets up a template and one sandbox, runs the job in it and tears everything down. Never fails: what goes wrong before
// the first user line is OutcomeKind::kSetupFailed. `peer` answers the channel.
boost::asio::awaitable<RunOutcome> run(boost::asio::any_io_executor executor, RunRequest request, ChannelPeer& peer,
                                       std::shared_ptr<RunHandle> handle);

}  // namespace progtc::runner
