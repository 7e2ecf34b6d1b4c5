#include "runner/template.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "runner/child/template_child.h"
#include "runner/job.h"
#include "runner/run_errc.h"
#include "runner/sys/file.h"
#include "runner/sys/kernel_abi.h"

namespace progtc::runner {
namespace {

namespace asio = boost::asio;
constexpr auto use_result = asio::as_tuple(asio::use_awaitable);

// What the clone executes: nothing but the guest runtime, from its bundle (runner/guest/make_bundle.py) or, where there
// is none for this interpreter, from its sources. The names stay behind in a function: this module is not the user's,
// but nothing in it should look as if it were.
constexpr const char* kBootstrap =
    "def boot():\n"
    "    import marshal, posix, sys\n"
    "    def read(name):\n"
    "        file = posix.open('/.progtc/' + name, posix.O_RDONLY | posix.O_CLOEXEC)\n"
    "        try: return posix.read(file, posix.fstat(file).st_size)\n"
    "        finally: posix.close(file)\n"
    "    try: code, modules = marshal.loads(read('bundle-' + sys.implementation.cache_tag))\n"
    "    except FileNotFoundError: code, modules = read('boot.py'), None\n"
    "    names = {}\n"
    "    exec(code, names)\n"
    "    return names['start'](sys.argv[1], sys.argv[2:], modules)\n"
    "boot()(3)\n";

Result<std::array<sys::UniqueFd, 2>> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) == -1) return from_errno(errno, "pipe2");
  return std::array<sys::UniqueFd, 2>{sys::UniqueFd(ends[0]), sys::UniqueFd(ends[1])};
}

Result<std::array<sys::UniqueFd, 2>> make_socketpair(int type) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) == -1) return from_errno(errno, "socketpair");
  return std::array<sys::UniqueFd, 2>{sys::UniqueFd(ends[0]), sys::UniqueFd(ends[1])};
}

// Root only: a mount in which the sandbox's user takes the place of the owner on disk. A read-only bind falls back to
// the plain mount, which shows less; a writable one that could not be written would break its promise.
Result<sys::UniqueFd> idmap_bind(const PlannedBind& bind, const Identity& identity) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const sys::UniqueFd source(sys::raw_openat2(AT_FDCWD, bind.source.c_str(), &how));
  if (!source) return run_error(RunErrc::kBindSource, from_errno(errno, "open bind '" + bind.source + "'").context);
  struct stat info {};
  if (::fstat(source.get(), &info) == -1 || info.st_dev != bind.device || info.st_ino != bind.inode)
    return run_error(RunErrc::kBindSource,
                     "bind '" + bind.source + "' was replaced while the sandbox was being set up");
  auto tree = clone_mount_idmapped(source.get(), bind.owner, bind.group, identity);
  if (tree) return tree;
  if (!bind.is_writable && tree.error().code == boost::system::errc::invalid_argument) return sys::UniqueFd();
  return run_error(RunErrc::kBindSource,
                   "bind '" + bind.source + "': " + tree.error().context +
                       " (its file system may not support id-mapped mounts; run as its owner instead of root)");
}

void set_limit(progtc_spawn& request, std::size_t& count, unsigned resource, std::uint64_t value) {
  request.rlimits[count++] = {resource, 1, value, value};
}

// The second line behind the cgroup, and the first where there is none.
void fill_rlimits(progtc_spawn& request, const SandboxSpec& spec) {
  std::size_t count = 0;
  // 1, not 0: the kernel takes it as "never run the core_pattern's helper", which 0 does not stop (core(5),
  // fs/coredump.c).
  set_limit(request, count, RLIMIT_CORE, 1);
  set_limit(request, count, RLIMIT_MEMLOCK, 64 << 10);
  set_limit(request, count, RLIMIT_MSGQUEUE, 0);
  set_limit(request, count, RLIMIT_RTPRIO, 0);
  set_limit(request, count, RLIMIT_NICE, 0);
  set_limit(request, count, RLIMIT_SIGPENDING, 1024);
  set_limit(request, count, RLIMIT_NOFILE, spec.limits.open_files);
  set_limit(request, count, RLIMIT_FSIZE, spec.limits.file_size_bytes);
  // Counted for the user in this user namespace: init is one of them (user_namespaces(7), since Linux 5.14).
  set_limit(request, count, RLIMIT_NPROC, spec.limits.processes + 1);
  // Whole seconds, rounded up. SIGXCPU names the cause; code that catches it is killed a second later. For one process;
  // the cgroup's account and the host's timer serve the sum over several, and are exact. Where they do, this clock of
  // ticks, which may run well ahead of them, must not end a run that they would not.
  auto cpu_seconds = static_cast<std::uint64_t>((spec.limits.cpu.count() + 999) / 1000);
  if (spec.cgroup && spec.cgroup->bounds("cpu")) cpu_seconds = 2 * cpu_seconds + 1;
  request.rlimits[count++] = {RLIMIT_CPU, 1, cpu_seconds, cpu_seconds + 1};
  if (spec.address_space_is_memory) set_limit(request, count, RLIMIT_AS, spec.limits.memory_bytes);
}

void fill_tmpfs(progtc_tmpfs* into, const policy::Filesystem& filesystem) {
  const auto convert = [](const policy::Tmpfs& spec) { return progtc_tmpfs{spec.size_bytes, spec.inodes}; };
  into[PROGTC_TMP] = convert(filesystem.tmp);
  into[PROGTC_SHM] = convert(filesystem.shm);
  into[PROGTC_WORK] = convert(filesystem.work);
  into[PROGTC_OUT] = convert(filesystem.out);
}

std::uint32_t spawn_flags(const SandboxSpec& spec) {
  std::uint32_t flags = 0;
  if (spec.network == policy::NetworkMode::kLoopback) flags |= PROGTC_SPAWN_LOOPBACK;
  if (spec.network == policy::NetworkMode::kHost) flags |= PROGTC_SPAWN_HOST_NETWORK;
  if (spec.wants_out) flags |= PROGTC_SPAWN_OUT;
  if (!spec.has_landlock) flags |= PROGTC_SPAWN_NO_LANDLOCK;
  return flags;
}

// The buffer of the code's stdout (struct progtc_output). Of one size for good: what nobody can cut off never faults
// the worker that has mapped it, and what nobody can extend takes no memory beyond it.
Result<sys::UniqueFd> make_output_memory() {
  constexpr unsigned kNoExec = 0x0008U;  // MFD_NOEXEC_SEAL, Linux 6.3
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  sys::UniqueFd memory(::memfd_create("stdout", kFlags | kNoExec));
  if (!memory && errno == EINVAL) memory.reset(::memfd_create("stdout", kFlags));
  if (!memory) return from_errno(errno, "memfd_create");
  if (::ftruncate(memory.get(), sizeof(progtc_output)) == -1) return from_errno(errno, "ftruncate");
  if (::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == -1)
    return from_errno(errno, "F_ADD_SEALS");
  return memory;
}

// The ends of one sandbox that its processes hold, and ours.
struct Ends {
  std::array<sys::UniqueFd, 2> status;  // [0] ours; a cold run's processes have theirs already
  std::array<sys::UniqueFd, 2> channel;
  std::array<sys::UniqueFd, 2> in;  // pipes: [0] reads
  std::array<sys::UniqueFd, 2> out;
  std::array<sys::UniqueFd, 2> err;  // [0] empty: one pipe for both
  sys::UniqueFd output;

  static Result<Ends> make(const SandboxSpec& spec) {
    Ends ends;
    PROGTC_TRY(ends.channel, make_socketpair(SOCK_STREAM));
    PROGTC_TRY(ends.in, make_pipe());
    PROGTC_TRY(ends.out, make_pipe());
    if (spec.has_one_output) {
      ends.err[1].reset(::fcntl(ends.out[1].get(), F_DUPFD_CLOEXEC, 0));
      if (!ends.err[1]) return from_errno(errno, "dup");
    } else {
      PROGTC_TRY(ends.err, make_pipe());
    }
    PROGTC_TRY(ends.output, make_output_memory());
    return ends;
  }
  // Ours of the child's ends must go, or a dead sandbox would never show as end of file.
  void give_away() {
    status[1].reset();
    channel[1].reset();
    in[0].reset();
    out[1].reset();
    err[1].reset();
  }
  void move_into(Sandbox& sandbox) {
    if (status[0]) sandbox.status.assign(boost::asio::generic::seq_packet_protocol(AF_UNIX, 0), status[0].release());
    sandbox.channel.assign(asio::local::stream_protocol(), channel[0].release());
    sandbox.stdin_pipe.assign(in[1].release());
    sandbox.stdout_pipe.assign(out[0].release());
    if (err[0]) sandbox.stderr_pipe.assign(err[0].release());
    sandbox.output = std::move(output);
  }
};

// How init gets into the run's cgroup. A cold run's is in it before the interpreter starts.
enum class CgroupEntry : std::uint8_t { kNone, kClone, kJoin };

// CLONE_INTO_CGROUP asks what the one that clones may do. In a run of root's that is the template's own user, who may
// do nothing in a group of root's; a file that root has opened lets it in.
CgroupEntry entry_of(const SandboxSpec& spec, bool is_root_run) {
  if (!spec.cgroup) return CgroupEntry::kNone;
  return spec.cgroup->mechanism() == CgroupMechanism::kV2 && !is_root_run ? CgroupEntry::kClone : CgroupEntry::kJoin;
}

// Sends the SPAWN request with its descriptors.
Result<void> send_request(int control, const SandboxSpec& spec, const Ends& ends, bool with_proc, CgroupEntry entry) {
  progtc_spawn request{};
  request.message = PROGTC_SPAWN;
  request.flags = spawn_flags(spec) | (with_proc ? std::uint32_t{PROGTC_SPAWN_PROC} : 0U);
  request.filter_count = static_cast<std::uint32_t>(spec.filter->code.size());
  fill_tmpfs(request.tmpfs, spec.filesystem);
  if (spec.limits_processors) request.processors = static_cast<std::uint32_t>(std::ceil(spec.limits.cpus));
  fill_rlimits(request, spec);
  std::string paths;
  for (const std::string& path : spec.writable) paths += path + '\0';
  request.paths_bytes = static_cast<std::uint32_t>(paths.size());
  paths += spec.late_binds;
  request.late_bytes = static_cast<std::uint32_t>(spec.late_binds.size());

  std::vector<int> fds = {ends.channel[1].get(), ends.in[0].get(), ends.out[1].get(), ends.err[1].get(),
                          ends.output.get()};
  if (ends.status[1]) fds.push_back(ends.status[1].get());
  sys::UniqueFd cgroup_dir;
  std::vector<sys::UniqueFd> joins;
  if (entry == CgroupEntry::kClone) {
    PROGTC_TRY(cgroup_dir, spec.cgroup->directory());
    request.flags |= PROGTC_SPAWN_CGROUP_V2;
    fds.push_back(cgroup_dir.get());
  } else if (entry == CgroupEntry::kJoin) {
    PROGTC_TRY(joins, spec.cgroup->join_files());
    request.join_count = static_cast<std::uint32_t>(joins.size());
    for (const auto& file : joins) fds.push_back(file.get());
  }

  std::array<iovec, 3> parts = {
      iovec{&request, sizeof request},
      iovec{const_cast<sock_filter*>(spec.filter->code.data()), spec.filter->code.size() * sizeof(sock_filter)},
      iovec{paths.data(), paths.size()}};
  alignas(cmsghdr) char ancillary[CMSG_SPACE(PROGTC_SPAWN_MAX_FDS * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  message.msg_control = ancillary;
  message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  if (::sendmsg(control, &message, MSG_NOSIGNAL) == -1) return from_errno(errno, "ask for a sandbox");
  return {};
}

// The host's end tells who sent a record: Sandbox::worker.
Result<std::array<sys::UniqueFd, 2>> make_status_pair() {
  PROGTC_TRY(auto pair, make_socketpair(SOCK_SEQPACKET));
  const int yes = 1;
  if (::setsockopt(pair[0].get(), SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) == -1)
    return from_errno(errno, "setsockopt SO_PASSCRED");
  return pair;
}

std::string read_now(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  std::string text(4096, '\0');
  const ssize_t got = ::read(fd, text.data(), text.size());
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

template <typename Struct>
bool decode(const Record& record, std::uint32_t message, Struct& into) {
  if (record.bytes.size() != sizeof into) return false;
  std::memcpy(&into, record.bytes.data(), sizeof into);
  return into.message == message;
}

// The directories that the host keeps open, in the order in which init sends them.
Result<void> take_directories(const SandboxSpec& spec, std::vector<sys::UniqueFd>& sent, Sandbox& sandbox) {
  std::vector<sys::UniqueFd*> wanted;
  if (spec.filesystem.work.is_mounted()) wanted.push_back(&sandbox.work_dir);
  if (spec.wants_out && spec.filesystem.out.is_mounted()) wanted.push_back(&sandbox.out_dir);
  if (sent.size() != wanted.size())
    return run_error(RunErrc::kControlMissing, "init sent " + std::to_string(sent.size()) + " directories, expected " +
                                                   std::to_string(wanted.size()));
  for (std::size_t i = 0; i < sent.size(); ++i) *wanted[i] = std::move(sent[i]);
  return {};
}

Error step_failed(unsigned step, int error, const std::string& item) {
  std::string text = std::string(step_name(step)) + (item.empty() ? "" : " '" + item + "'");
  text = from_errno(error, text).context;
  if (const std::string advice = step_advice(step, error); !advice.empty()) text += " (" + advice + ")";
  const bool is_namespace = (step == PROGTC_STEP_CLONE) && (error == EPERM || error == EACCES || error == ENOSPC);
  const bool is_source = step == PROGTC_STEP_BIND_SOURCE;
  return run_error(is_namespace ? RunErrc::kNoUserNamespaces
                   : is_source  ? RunErrc::kBindSource
                                : RunErrc::kSetupStep,
                   text);
}

}  // namespace

asio::awaitable<Result<Record>> receive_record(SeqPacketSocket& socket) {
  for (;;) {
    auto [waited] = co_await socket.async_wait(SeqPacketSocket::wait_read, use_result);
    if (waited) co_return Error{waited, "wait for a record"};
    Record record;
    record.bytes.resize(4096);
    iovec part{record.bytes.data(), record.bytes.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int)) + CMSG_SPACE(sizeof(ucred))];
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t got = ::recvmsg(socket.native_handle(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got == -1) {
      const int err = errno;
      if (err == EAGAIN || err == EINTR) continue;
      co_return from_errno(err, "recvmsg");
    }
    record.bytes.resize(static_cast<std::size_t>(got));
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET) continue;
      if (header->cmsg_type == SCM_CREDENTIALS) {
        ucred credentials{};
        std::memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
        record.sender = credentials.pid;
      }
      if (header->cmsg_type != SCM_RIGHTS) continue;
      std::array<int, 8> fds{};
      const std::size_t size = std::min(header->cmsg_len - CMSG_LEN(0), sizeof fds);
      std::memcpy(fds.data(), CMSG_DATA(header), size);
      for (std::size_t i = 0; i < size / sizeof(int); ++i) record.fds.emplace_back(fds[i]);
    }
    co_return record;
  }
}

void Sandbox::end() const noexcept {
  const char ask = 'e';
  // A failure means init has ended: nothing is left to ask.
  (void)!::send(const_cast<SeqPacketSocket&>(status).native_handle(), &ask, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Sandbox::kill() const noexcept {
  // ESRCH: it has ended already.
  if (init) (void)sys::raw_pidfd_send_signal(init.get(), SIGKILL);
}

bool Sandbox::is_worker_running() const noexcept { return worker_fd && sys::is_running(worker_fd.get()); }

std::optional<std::chrono::microseconds> Sandbox::worker_cpu_time() const noexcept {
  clockid_t clock{};
  timespec used{};
  if (!is_worker_running() || ::clock_getcpuclockid(worker, &clock) != 0 || ::clock_gettime(clock, &used) == -1)
    return std::nullopt;
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::seconds(used.tv_sec) +
                                                               std::chrono::nanoseconds(used.tv_nsec));
}

std::optional<std::uint64_t> Sandbox::worker_page_tables() const {
  const auto text = sys::read_file("/proc/" + std::to_string(worker) + "/status", 64 << 10);
  if (!text || !is_worker_running()) return std::nullopt;
  constexpr std::string_view kKey = "\nVmPTE:";
  const auto at = text->find(kKey);
  if (at == std::string::npos) return std::nullopt;
  return std::strtoull(text->c_str() + at + kKey.size(), nullptr, 10) << 10;
}

Result<std::unique_ptr<Template>> Template::start(const asio::any_io_executor& executor, const policy::Policy& policy,
                                                  const RootPlan& plan, const Identity& identity,
                                                  const SandboxSpec* cold) {
  std::unique_ptr<Template> self(new Template(executor));
  PROGTC_TRY(auto control, make_socketpair(SOCK_SEQPACKET));
  PROGTC_TRY(auto maps, make_pipe());
  PROGTC_TRY(auto report, make_pipe());
  PROGTC_TRY(auto log, make_pipe());
  PROGTC_TRY(const auto null, sys::openat(AT_FDCWD, "/dev/null", O_RDWR));

  std::vector<child::RootEntry> entries;
  entries.reserve(plan.entries.size());
  for (const PlannedEntry& entry : plan.entries)
    entries.push_back({entry.kind, entry.mode, entry.path.c_str(), entry.content.c_str(), entry.content.size()});
  std::vector<sys::UniqueFd> trees;
  std::vector<child::RootBind> binds;
  for (const PlannedBind& bind : plan.binds) {
    self->bind_names_.push_back(bind.source);
    sys::UniqueFd tree;
    if (identity.is_root_run && bind.is_explicit) {
      PROGTC_TRY(tree, idmap_bind(bind, identity));
    }
    std::uint64_t attributes = MOUNT_ATTR_NOSUID;
    if (!bind.is_writable) attributes |= MOUNT_ATTR_RDONLY;
    attributes |= bind.is_device ? std::uint64_t{MOUNT_ATTR_NOEXEC} : std::uint64_t{MOUNT_ATTR_NODEV};
    binds.push_back({tree.get(), bind.source.c_str(), bind.device, bind.inode, bind.target.c_str() + 1, attributes});
    trees.push_back(std::move(tree));
  }
  std::vector<int> tree_fds(binds.size(), -1);

  std::vector<std::string> variables = start_variables(policy);
  // Not isolated (-I), as code that is would not find PYTHONBREAKPOINT; the environment holds nothing but what is here.
  std::vector<std::string> arguments = {plan.program, "-s", "-S", "-B", "-c", kBootstrap, cold ? "confine" : "serve"};
  if (!policy.python.preload.empty()) {
    for (const std::string& path : plan.site_packages) arguments.push_back("p:" + path);
    for (const std::string& name : policy.python.preload) arguments.push_back("m:" + name);
  }
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::string language = "LANG=C.UTF-8";
  // Where RLIMIT_AS is the memory limit, a thread's own malloc arena would reserve 128 MiB of it for nothing.
  std::string arenas = "MALLOC_ARENA_MAX=1";
  // What `preload` imports starts its threads now. A template has to have one thread, as it is cloned.
  std::vector<std::string> threads;
  const auto count = cold ? std::min<std::uint64_t>(processors_of(policy.limits), policy.limits.processes) : 1;
  if (!policy.python.preload.empty())
    for (const char* name : kThreadVariables) threads.push_back(std::string(name) + "=" + std::to_string(count));
  std::vector<char*> envp = {language.data()};
  if (cold && cold->address_space_is_memory) envp.push_back(arenas.data());
  for (std::string& variable : threads) envp.push_back(variable.data());
  for (std::string& variable : variables) envp.push_back(variable.data());
  envp.push_back(nullptr);

  child::TemplatePlan child_plan{};
  child_plan.entries = entries;
  child_plan.binds = binds;
  child_plan.tree_fds = tree_fds.data();
  child::ColdPlan cold_plan{};
  sys::UniqueFd cgroup_dir;
  sys::UniqueFd cold_status;
  std::vector<sys::UniqueFd> joins;
  std::vector<int> join_fds;
  if (cold) {
    PROGTC_TRY(auto status, make_status_pair());
    self->status_ = std::move(status[0]);
    cold_status = std::move(status[1]);
    cold_plan.flags = spawn_flags(*cold);
    fill_tmpfs(cold_plan.tmpfs, cold->filesystem);
    cold_plan.late_paths = cold->late_binds.data();
    cold_plan.late_bytes = static_cast<std::uint32_t>(cold->late_binds.size());
    cold_plan.status_fd = cold_status.get();
    if (cold->cgroup && cold->cgroup->mechanism() == CgroupMechanism::kV1) {
      PROGTC_TRY(joins, cold->cgroup->join_files());
      for (const auto& file : joins) join_fds.push_back(file.get());
      cold_plan.join_fds = join_fds;
    }
    child_plan.cold = &cold_plan;
  }
  child_plan.is_root_run = identity.is_root_run;
  self->is_root_run_ = identity.is_root_run;
  child_plan.map_write_fd = maps[1].get();
  child_plan.map_fd = maps[0].get();
  child_plan.control_fd = control[1].get();
  child_plan.log_fd = log[1].get();
  child_plan.null_fd = null.get();
  child_plan.report_fd = report[1].get();
  child_plan.program = plan.program.c_str();
  child_plan.argv = argv.data();
  child_plan.envp = envp.data();

  int pidfd = -1;
  clone_args args{};
  args.flags =
      CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  if (policy.network != policy::NetworkMode::kHost) args.flags |= CLONE_NEWNET;
  if (cold && cold->cgroup && cold->cgroup->mechanism() == CgroupMechanism::kV2) {
    PROGTC_TRY(cgroup_dir, cold->cgroup->directory());
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(cgroup_dir.get());
  }
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  const long pid = sys::raw_clone3(&args);
  if (pid == 0) child::run_template_child(child_plan);
  if (pid == -1) return step_failed(PROGTC_STEP_CLONE, errno, "");
  self->pid_ = static_cast<pid_t>(pid);
  self->pidfd_.reset(pidfd);
  self->control_.assign(boost::asio::generic::seq_packet_protocol(AF_UNIX, 0), control[0].release());
  self->report_ = std::move(report[0]);
  self->log_ = std::move(log[0]);
  auto mapped = write_id_maps(self->pid_, identity);
  if (mapped) mapped = sys::write_all(maps[1].get(), "g");
  if (!mapped) {
    // The child may have ended of something else, which it has reported.
    if (auto failed = self->failed_step()) return *failed;
    return with_context("map the sandbox's user", mapped.error());
  }
  return self;
}

Template::~Template() {
  if (pid_ <= 0) return;
  kill();
  while (::waitpid(pid_, nullptr, 0) == -1 && errno == EINTR) {
  }
}

void Template::kill() const noexcept { (void)sys::raw_pidfd_send_signal(pidfd_.get(), SIGKILL); }

std::optional<Error> Template::failed_step() {
  child::TemplateReport report{};
  const int flags = ::fcntl(report_.get(), F_GETFL);
  ::fcntl(report_.get(), F_SETFL, flags | O_NONBLOCK);
  while (::read(report_.get(), &report, sizeof report) == static_cast<ssize_t>(sizeof report)) {
    if (report.step == 0) continue;
    const bool names_bind = report.step == PROGTC_STEP_BIND_SOURCE || report.step == PROGTC_STEP_BIND_ATTRIBUTES ||
                            report.step == PROGTC_STEP_BIND_TARGET;
    return step_failed(report.step, report.error,
                       names_bind && report.item < bind_names_.size() ? bind_names_[report.item] : "");
  }
  return std::nullopt;
}

Error Template::died(const std::string& attempted) {
  if (auto failed = failed_step()) return *failed;
  const std::string said = read_now(log_.get());
  return run_error(RunErrc::kTemplateDied,
                   attempted + ": the interpreter ended" + (said.empty() ? " without a word" : ", saying: " + said));
}

Error Template::not_sent(const Error& error) {
  const bool has_gone = error.code == std::errc::broken_pipe || error.code == std::errc::connection_reset;
  return has_gone ? died("set up the sandbox") : error;
}

asio::awaitable<Result<void>> Template::ready() {
  auto record = co_await receive_record(control_);
  if (!record) co_return record.error();
  progtc_report ready{};
  if (!decode(*record, PROGTC_READY, ready)) co_return died("start the template");
  child::TemplateReport report{};
  if (::read(report_.get(), &report, sizeof report) != static_cast<ssize_t>(sizeof report))
    co_return died("start the template");
  has_proc_ = report.has_proc != 0;
  co_return Result<void>{};
}

asio::awaitable<Result<void>> Template::wait_for(std::uint32_t last, const SandboxSpec& spec, Sandbox& sandbox) {
  for (;;) {
    auto record = co_await receive_record(sandbox.status);
    if (!record) co_return record.error();
    progtc_report report{};
    if (decode(*record, PROGTC_PREPARED, report)) {
      sandbox.controls |= report.controls;
      if (auto taken = take_directories(spec, record->fds, sandbox); !taken) co_return taken.error();
      if (last == PROGTC_PREPARED) co_return Result<void>{};
    } else if (decode(*record, PROGTC_CONFINED, report)) {
      if (record->fds.size() != 1) co_return run_error(RunErrc::kControlMissing, "the worker sent no seccomp listener");
      sandbox.listener = std::move(record->fds[0]);
      // It waits for its job, and none of the code's lines has run: the number is its own.
      sandbox.worker = record->sender;
      sandbox.worker_fd.reset(sys::raw_pidfd_open(sandbox.worker));
      if (!sandbox.worker_fd) co_return from_errno(errno, "pidfd_open of the worker");
      sandbox.controls |= report.controls;
      sandbox.landlock_abi = report.landlock_abi;
      co_return Result<void>{};
    } else if (decode(*record, PROGTC_FAILED, report)) {
      co_return step_failed(report.step, report.error, "");
    } else {
      co_return died("set up the sandbox");
    }
  }
}

asio::awaitable<Result<Sandbox>> Template::spawn(const SandboxSpec& spec) {
  auto ends = Ends::make(spec);
  if (!ends) co_return ends.error();
  auto status = make_status_pair();
  if (!status) co_return status.error();
  ends->status = std::move(*status);
  if (auto sent = send_request(control_.native_handle(), spec, *ends, has_proc_, entry_of(spec, is_root_run_)); !sent)
    co_return not_sent(sent.error());
  ends->give_away();

  auto record = co_await receive_record(control_);
  if (!record) co_return record.error();
  progtc_report spawned{};
  if (!decode(*record, PROGTC_SPAWNED, spawned)) co_return died("clone a sandbox");
  if (spawned.error != 0) co_return step_failed(spawned.step, spawned.error, "");
  if (record->fds.size() != 1) co_return run_error(RunErrc::kSetupStep, "the template sent no pidfd");
  Sandbox sandbox(executor_);
  sandbox.init = std::move(record->fds[0]);
  ends->move_into(sandbox);
  if (auto confined = co_await wait_for(PROGTC_CONFINED, spec, sandbox); !confined) co_return confined.error();
  co_return sandbox;
}

asio::awaitable<Result<Sandbox>> Template::confine(const SandboxSpec& spec) {
  auto ends = Ends::make(spec);
  if (!ends) co_return ends.error();
  ends->status[0] = std::move(status_);
  Sandbox sandbox(executor_);
  sandbox.init.reset(::fcntl(pidfd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!sandbox.init) co_return from_errno(errno, "dup");
  // Init and worker start side by side: nothing may go on to user code before the mounts are what they have to be. The
  // request then waits for the interpreter, not the interpreter for the request.
  sandbox.status.assign(boost::asio::generic::seq_packet_protocol(AF_UNIX, 0), ends->status[0].release());
  if (auto prepared = co_await wait_for(PROGTC_PREPARED, spec, sandbox); !prepared) co_return prepared.error();
  if (auto sent = send_request(control_.native_handle(), spec, *ends, false, CgroupEntry::kNone); !sent)
    co_return not_sent(sent.error());
  ends->give_away();
  ends->move_into(sandbox);
  if (auto confined = co_await wait_for(PROGTC_CONFINED, spec, sandbox); !confined) co_return confined.error();
  co_return sandbox;
}

}  // namespace progtc::runner
