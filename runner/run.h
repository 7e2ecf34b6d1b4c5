#pragma once
// One run, from policy to outcome.
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "policy/model.h"
#include "runner/bounds.h"
#include "runner/channel_peer.h"
#include "runner/host_stream.h"
#include "runner/job.h"
#include "runner/outcome.h"
#include "runner/output_sink.h"
#include "runner/root_plan.h"
#include "runner/work_files.h"

struct seccomp_notif;

namespace progtc::runner {

struct RunRequest {
  std::string run_id;  // empty: one is made; new_run_id()
  policy::Policy policy;
  Job job;  // `executable`, `site` and `frame_bytes` are filled in by the run
  // The last word on the job once the root view is known: working directory, sys.path. An error ends the run before any
  // line of the code. May be empty.
  std::function<Result<void>(const RootPlan&, Job&)> place;
  std::vector<FileToCopy> files;  // into the working directory
  std::string out_dir;            // host directory for what the code leaves in /out; empty: no /out
  HostStream* in = nullptr;       // null: the code reads end of file
  OutputSink* out = nullptr;      // null: captured only
  OutputSink* err = nullptr;
  bool has_one_output = false;  // stdout and stderr are one file: one pipe keeps the order of the writes; all of it
                                // goes to `out`
  std::size_t capture_bytes = 1 << 20;  // of each stream, kept in the outcome
  GivenUp allow_degraded;
  std::vector<ShownProgram> program;  // what is run, where it is a file
  std::string project_dir;            // what "@project" means
  std::string guest_dir;              // where the guest runtime is installed
  // The policy learner: decides on each call that the filter does not allow, true lets it happen. Such a run has no
  // Landlock.
  std::function<bool(const seccomp_notif&)> learn;
};

// How long code that was sent a signal (RunHandle::interrupt) has to end.
inline constexpr std::chrono::seconds kInterruptGrace{2};

// A handle to end a run from outside. Both functions may be called while it runs, more than once.
class RunHandle {
 public:
  // Sends `signal` to the worker: the code's handler runs, Python's own raises KeyboardInterrupt for SIGINT. Code that
  // then exits by itself has ended as it says (kExited); code that dies of the signal, or still runs after
  // kInterruptGrace, is kCancelled with `cause`. A second call, or one before the code runs, is `cancel`.
  void interrupt(int signal, std::string cause) {
    if (on_interrupt_) on_interrupt_(signal, std::move(cause));
  }
  // Kills the worker at once.
  void cancel(int signal, std::string cause) {
    if (on_cancel_) on_cancel_(signal, std::move(cause));
  }

 private:
  friend class Supervisor;
  friend class SandboxPool;
  std::function<void(int, std::string)> on_interrupt_;
  std::function<void(int, std::string)> on_cancel_;
};

// 32 hex digits of the kernel's randomness.
std::string new_run_id();

// Sets up a sandbox, runs the job in it and tears everything down. Never fails: what goes wrong before the first user
// line is OutcomeKind::kSetupFailed. `peer` answers the channel.
boost::asio::awaitable<RunOutcome> run(boost::asio::any_io_executor executor, RunRequest request, ChannelPeer& peer,
                                       std::shared_ptr<RunHandle> handle);

// The same in a sandbox that is ready. Returns as soon as the outcome is known, and hands what remains to be done, the
// wait for the last process and the removal of the cgroup, to `behind`.
struct Parked;
boost::asio::awaitable<RunOutcome> run_parked(boost::asio::any_io_executor executor, RunRequest request,
                                              std::unique_ptr<Parked> parked, ChannelPeer& peer,
                                              std::shared_ptr<RunHandle> handle,
                                              std::function<void(boost::asio::awaitable<void>)> behind);

}  // namespace progtc::runner
