#pragma once
// The template: a trusted interpreter in namespaces of its own that clones sandboxes on request; or, for a cold run, a
// clone that becomes its own only sandbox. docs/architecture.md has the picture; runner/guest/control.h the messages.
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/seq_packet_protocol.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "policy/model.h"
#include "policy/result.h"
#include "policy/seccomp_program.h"
#include "runner/cgroup.h"
#include "runner/guest/control.h"
#include "runner/identity.h"
#include "runner/interpreter.h"
#include "runner/root_plan.h"
#include "runner/sys/unique_fd.h"

namespace progtc::runner {

using SeqPacketSocket = boost::asio::generic::seq_packet_protocol::socket;

// A record received over one of the set-up's sockets, with the descriptors that came along.
struct Record {
  std::string bytes;  // empty: the peer has closed
  std::vector<sys::UniqueFd> fds;
  pid_t sender = 0;  // as this process numbers it; 0 where the socket does not ask for it (SO_PASSCRED)
};
// Waits for one record. Errors: errno of recvmsg.
boost::asio::awaitable<Result<Record>> receive_record(SeqPacketSocket& socket);

// What one sandbox is made with.
struct SandboxSpec {
  const policy::SeccompProgram* filter = nullptr;
  const Cgroup* cgroup = nullptr;
  policy::Limits limits;
  policy::Filesystem filesystem;
  policy::NetworkMode network = policy::NetworkMode::kNone;
  std::vector<std::string> writable;  // Landlock
  std::string late_binds;             // RootPlan::late_binds
  bool wants_out = false;
  bool address_space_is_memory = false;  // no cgroup: RLIMIT_AS carries limits.memory
  bool limits_processors = false;        // no cpu controller: the worker may run on so many processors only
  bool has_one_output = false;           // stdout and stderr are one pipe, as they are one file outside
  bool has_landlock = true;              // false: the policy learner's run
};

// A confined process that waits on its channel for a job. Destroying it kills everything in it.
struct Sandbox {
  sys::UniqueFd init;      // pidfd of pid 1
  sys::UniqueFd listener;  // seccomp notifications
  sys::UniqueFd work_dir;  // the working directory's file system, open for the host
  sys::UniqueFd out_dir;
  sys::UniqueFd output;  // struct progtc_output, read when the worker has ended
  SeqPacketSocket status;
  boost::asio::local::stream_protocol::socket channel;
  boost::asio::posix::stream_descriptor stdin_pipe;
  boost::asio::posix::stream_descriptor stdout_pipe;
  boost::asio::posix::stream_descriptor stderr_pipe;  // not open where stdout_pipe is both
  std::uint32_t controls = 0;                         // bits of enum progtc_control, verified by the worker
  std::uint32_t landlock_abi = 0;
  pid_t worker = 0;         // as this process numbers it
  sys::UniqueFd worker_fd;  // its pidfd: whether the number is still its own

  explicit Sandbox(const boost::asio::any_io_executor& executor)
      : status(executor), channel(executor), stdin_pipe(executor), stdout_pipe(executor), stderr_pipe(executor) {}
  Sandbox(Sandbox&&) = default;
  Sandbox& operator=(Sandbox&&) = delete;
  ~Sandbox() { kill(); }
  // Asks init to end the worker, whose usage then still gets reported.
  void end() const noexcept;
  // At once, whatever init does.
  void kill() const noexcept;
  // False for one that has ended, too. Its number may be another process's then.
  [[nodiscard]] bool is_worker_running() const noexcept;
  // What the worker has used so far, up to its last tick or change of scheduling; nothing once it has ended.
  [[nodiscard]] std::optional<std::chrono::microseconds> worker_cpu_time() const noexcept;
  // What the worker's page tables take, in bytes; nothing once it has ended.
  [[nodiscard]] std::optional<std::uint64_t> worker_page_tables() const;
};

class Template {
 public:
  // Clones the template and returns at once; the interpreter comes up while the caller does other things. `plan` has to
  // outlive the call only. With `cold` the clone is for one run: its namespaces are that run's, and confine() turns it
  // into the sandbox; `cold->filter` may still be missing here. Errors: RunErrc.
  static Result<std::unique_ptr<Template>> start(const boost::asio::any_io_executor& executor,
                                                 const policy::Policy& policy, const RootPlan& plan,
                                                 const Identity& identity, const SandboxSpec* cold = nullptr);
  // Kills it and reaps it; sandboxes of its own pid namespace die with it.
  ~Template();
  Template(const Template&) = delete;
  Template& operator=(const Template&) = delete;

  // Waits until it answers requests. Errors: the step that failed, or what the interpreter printed when it did not
  // start.
  boost::asio::awaitable<Result<void>> ready();
  // One more sandbox of a template. Waits until it is confined. One call at a time. Errors: the step that failed.
  boost::asio::awaitable<Result<Sandbox>> spawn(const SandboxSpec& spec);
  // The sandbox that a cold start becomes: once, instead of ready() and spawn().
  boost::asio::awaitable<Result<Sandbox>> confine(const SandboxSpec& spec);

  // Kills it, and with it whatever it has cloned. It is reaped when this object goes.
  void kill() const noexcept;

 private:
  explicit Template(const boost::asio::any_io_executor& executor) : executor_(executor), control_(executor) {}
  // The step that the child has reported as failed, if any.
  std::optional<Error> failed_step();
  Error died(const std::string& attempted);
  Error not_sent(const Error& error);  // what `died` says where the interpreter has gone
  // Takes the set-up's records up to and including `last` (PROGTC_PREPARED or PROGTC_CONFINED).
  boost::asio::awaitable<Result<void>> wait_for(std::uint32_t last, const SandboxSpec& spec, Sandbox& sandbox);

  boost::asio::any_io_executor executor_;
  pid_t pid_ = -1;
  sys::UniqueFd pidfd_;
  SeqPacketSocket control_;
  sys::UniqueFd report_;  // TemplateReport, or end of file
  sys::UniqueFd log_;     // what the interpreter prints before it serves
  sys::UniqueFd status_;  // cold: the host's end
  bool has_proc_ = false;
  bool is_root_run_ = false;
  std::vector<std::string> bind_names_;  // for messages
};

}  // namespace progtc::runner
