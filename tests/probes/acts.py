"""What untrusted code is made to try, one line an act; docs/threat-model.md says what each group holds."""

import os
import pathlib
import subprocess

from table import (
    ABSENT, ENOSYS, EPERM, PERMITTED, UNREADABLE, UNWRITABLE, Blocked, Killed, Listing, NoTwin, Permitted,
    Without, act, bare, namespaces, sandboxed,
)  # fmt: skip

BOTH = ("strict", "standard")
PYTHON = "/usr/bin/python3"
PYTHON_PROGRAM = os.path.basename(os.path.realpath(PYTHON))
SIGSEGV = 11
SIGSYS = 31

FILE_SYSTEM = [
    # what the host keeps
    act("read_file /etc/shadow", ABSENT, bare(root=True), policies=BOTH),
    act("read_file {home}/.ssh/id_ed25519", ABSENT, bare(), policies=BOTH),
    act("read_file {marker}", ABSENT, bare(), policies=BOTH),
    act("list_directory /root", ABSENT, bare(root=True), policies=BOTH),
    act("list_directory /home", ABSENT, bare(), policies=BOTH),
    act("list_directory /var", ABSENT, bare(), policies=BOTH),
    act("list_directory /run", ABSENT, bare(), policies=BOTH),
    act("list_directory /sys", ABSENT, bare(), policies=BOTH),
    act("list_directory /boot", ABSENT, bare(), policies=BOTH),
    act("read_file /dev/kmsg", ABSENT, sandboxed("/dev/zero")),
    act("read_file /dev/mem", ABSENT, sandboxed("/dev/zero")),
    act("open_for_writing /dev/tty", Blocked(("ENOENT", "ENXIO")), sandboxed("/dev/null")),
    act("open_for_writing /dev/ptmx", ABSENT, sandboxed("/dev/null")),
    # exactly what is there
    act("list_directory /", Listing(frozenset("dev etc sandbox tmp usr".split()),
                                    frozenset("bin sbin lib lib32 lib64 libx32 out proc .progtc".split())), NoTwin("a list")),
    act("list_directory /dev", Listing(frozenset("full null random shm urandom zero".split()),
                                       frozenset("fd stdin stdout stderr".split())), NoTwin("a list"), policies=BOTH),
    act("list_directory /etc", Listing(frozenset("group hosts nsswitch.conf passwd".split()),
                                       frozenset(["ld.so.cache", "localtime", "ssl", PYTHON_PROGRAM])), NoTwin("a list")),
    act("list_directory /usr/bin", Listing(frozenset({PYTHON_PROGRAM}), frozenset({"python3"})), NoTwin("a list")),
    act("list_directory /tmp", Permitted("|permitted:"), NoTwin("a list")),
    act("list_directory /dev/shm", Permitted("|permitted:"), NoTwin("a list")),
    # writing where nothing may be written
    act("create_file /", UNWRITABLE, sandboxed("/tmp")),
    act("create_file /usr", UNWRITABLE, sandboxed("/sandbox")),
    act("create_file {stdlib}", UNWRITABLE, sandboxed("/dev/shm")),
    act("create_file /etc", UNWRITABLE, bare("{scratch}")),
    act("create_file /dev", UNWRITABLE, bare("{scratch}")),
    act("create_file /proc", Blocked(), bare("{scratch}")),
    act("create_file /data", UNWRITABLE, sandboxed("/data", options=("--rw", "{scratch}:/data")),
        options=("--ro", "{scratch}:/data")),
    act("open_for_writing {stdlib_file}", UNWRITABLE, bare("{marker}")),
    act("open_for_writing /etc/passwd", UNWRITABLE, bare("{marker}")),
    act("open_for_writing /proc/self/exe", Blocked(("EROFS", "EACCES", "EPERM", "ETXTBSY")), bare("{marker}")),
    act("open_for_writing /data/marker", UNWRITABLE, sandboxed("/data/marker", options=("--rw", "{scratch}:/data")),
        options=("--ro", "{scratch}:/data")),
    act("reopen_for_writing {stdlib_file}", UNWRITABLE, bare("{marker}")),
    act("reopen_for_writing /data/marker", UNWRITABLE, sandboxed("/data/marker", options=("--rw", "{scratch}:/data")),
        options=("--ro", "{scratch}:/data")),
    act("open_file_lock", EPERM, bare(), denied="fcntl", policies=BOTH),
    act("write_pyc", Blocked(("no bytecode",)), bare()),
    # mounts
    act("mount", EPERM, namespaces(), denied="mount", policies=BOTH),
    act("remount", EPERM, namespaces(), denied="mount", policies=BOTH),
    act("mount_setattr", EPERM, namespaces(), denied="mount_setattr", policies=BOTH),
    act("umount2", EPERM, bare(), denied="umount2", policies=BOTH),
    act("fsopen", EPERM, namespaces(), denied="fsopen", policies=BOTH),
    act("fspick", EPERM, namespaces(), denied="fspick", policies=BOTH),
    act("open_tree", EPERM, namespaces(), denied="open_tree", policies=BOTH),
    act("move_mount", EPERM, namespaces(), denied="move_mount", policies=BOTH),
    act("pivot_root", EPERM, namespaces(), denied="pivot_root", policies=BOTH),
    act("chroot", EPERM, namespaces(), denied="chroot", policies=BOTH),
    act("open_by_handle_at", EPERM, bare(root=True), denied="open_by_handle_at", policies=BOTH),
    act("mount_flags / /tmp /dev/shm /sandbox {stdlib} /proc", Blocked(("nosuid",)), bare("/")),
    # what could outlive the run or mean more outside
    act("mknod_device", EPERM, bare(root=True), denied="mknodat", policies=BOTH),
    act("setuid_bit", Blocked(("EPERM", "the bit did not stay", "the mount has no")), bare(), policies=BOTH),
    act("hard_link {stdlib_file}", Blocked(("EXDEV", "EPERM", "EACCES")), bare("{marker}")),
    act("hard_link /etc/passwd", Blocked(("EXDEV", "EPERM", "EACCES", "EROFS")), bare("{marker}")),
    # ways round the root
    act("climb_out home", ABSENT, bare()),
    act("list_directory /proc/self/root/home", ABSENT, bare()),
    act("list_directory /proc/self/cwd/../../../../../../../../home", ABSENT, bare()),
    act("list_directory /proc/1/root/", UNREADABLE, bare("/proc/{victim}/root/"), policies=BOTH),
    act("list_directory /proc/1/cwd/", UNREADABLE, bare("/proc/{victim}/cwd/"), policies=BOTH),
    act("list_directory /proc/1/fd", UNREADABLE, bare("/proc/{victim}/fd"), policies=BOTH),
    act("read_file /proc/1/environ", UNREADABLE, bare("/proc/{victim}/environ"), policies=BOTH),
    act("read_file /proc/1/maps", UNREADABLE, bare("/proc/{victim}/maps"), policies=BOTH),
    act("open_for_writing /proc/1/mem", UNREADABLE, bare("/proc/{victim}/mem"), policies=BOTH),
    act("inherited_fds", Blocked(("only 0 1 2 3",)), bare(), policies=BOTH, leaks_fds=True),
]  # fmt: skip

KINDS = ("newuser", "newns", "newpid", "newnet", "newipc", "newuts", "newcgroup", "newtime")
NAMESPACES = [
    *(act(f"unshare {kind}", EPERM, namespaces(), denied="unshare", policies=BOTH) for kind in KINDS),
    *(act(f"clone {kind}", EPERM, namespaces(), denied="clone", policies=BOTH) for kind in KINDS[:-1]),
    act("clone3", ENOSYS, bare(), policies=BOTH),
    act("setns", EPERM, bare(), denied="setns", policies=BOTH),
]

PROCESSES = [
    act("clone", EPERM, sandboxed(policy="standard"), denied="clone"),
    act("fork", EPERM, sandboxed(policy="standard"), denied="clone"),
    act("vfork", EPERM, sandboxed(policy="standard"), denied="vfork"),
    act("execve", EPERM, sandboxed(policy="standard"), denied="execve"),
    act("execveat_memfd", EPERM, bare(), denied=("execveat", "memfd_create")),
    act("subprocess", EPERM, sandboxed(policy="standard")),
    act("posix_spawn", EPERM, sandboxed(policy="standard")),
    act("kill {victim}", Blocked(("ESRCH", "EPERM")), bare(), policies=BOTH),
    act("kill 1", Blocked(("EPERM", "pid 1 ignored it")), bare("{victim}"), policies=BOTH),
    act("signal_everyone", Blocked(("ESRCH", "EPERM")), bare(), policies=BOTH),
    act("ptrace_seize 1", EPERM, bare("{victim}"), denied="ptrace", policies=BOTH),
    act("ptrace_traceme", EPERM, bare(), denied="ptrace"),
    act("process_vm_readv 1", EPERM, bare("{victim}"), denied="process_vm_readv", policies=BOTH),
    act("process_vm_writev 1", EPERM, bare("{victim}"), denied="process_vm_writev", policies=BOTH),
    act("pidfd_getfd 1", EPERM, bare("{victim}"), denied="pidfd_open"),
    act("pidfd_getfd 1", EPERM, bare("{victim}"), denied="pidfd_getfd", policies=("standard",)),
    act("pidfd_send_signal 1", EPERM, bare("{victim}"), denied="pidfd_open"),
    act("process_madvise", EPERM, bare(), denied="process_madvise"),
    act("kcmp", EPERM, bare(), denied="kcmp"),
    act("setuid", EPERM, namespaces(), denied="setuid", policies=BOTH),
    act("setgid", EPERM, namespaces(), denied="setgid", policies=BOTH),
    act("setgroups", EPERM, bare(root=True), denied="setgroups", policies=BOTH),
    act("be_root", Blocked(("no id is 0",)), namespaces(), policies=BOTH),
    act("hold_capabilities", Blocked(("no capability",)), namespaces(), policies=BOTH),
    act("gain_privileges", Blocked(("NoNewPrivs 1 Seccomp 2",)), bare(), policies=BOTH),
    act("private_descriptors close_range", EPERM, bare(), denied="close_range", policies=BOTH),
    act("private_descriptors clone", EPERM, bare(), denied="clone", policies=BOTH),
    act("share_descriptors", Permitted("done"), bare(), policies=BOTH),
    act("grow_pipe 1048576", EPERM, sandboxed("65536"), denied="fcntl", policies=BOTH),
    act("grow_pipe 65537", EPERM, sandboxed("4096"), denied="fcntl", policies=BOTH),
    act("hide_denial", EPERM, bare(), denied="socket"),
]

# Families with nothing of use for Python code, each with its own history of local privilege escalation.
ODD_FAMILIES = ("AF_ALG SOCK_SEQPACKET 0", "AF_VSOCK SOCK_STREAM 0", "AF_TIPC SOCK_STREAM 0",
                "AF_BLUETOOTH SOCK_RAW 1", "AF_CAN SOCK_RAW 1", "AF_QIPCRTR SOCK_DGRAM 0", "AF_SMC SOCK_STREAM 0",
                "AF_RDS SOCK_SEQPACKET 0")  # fmt: skip
WITHOUT_ROUTE = Blocked(("ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL"))
REFUSED = Blocked(("ECONNREFUSED",))
MPTCP = "socket AF_INET SOCK_STREAM 262"
NETWORK = [
    *(act(f"socket {family} SOCK_STREAM 0", EPERM, bare(), denied="socket", rule="network")
      for family in ("AF_INET", "AF_INET6", "AF_UNIX")),
    act("socket AF_INET SOCK_DGRAM 0", EPERM, sandboxed(policy="loopback"), denied="socket", rule="network"),
    *(act(f"socket {family}", EPERM, bare(), denied="socket", policies=("strict", "loopback")) for family in ODD_FAMILIES),
    # Answered as if the kernel had none, and not reported: getaddrinfo asks it every time.
    act("socket AF_NETLINK SOCK_RAW 0", Blocked(("EAFNOSUPPORT",)), bare(), policies=("strict", "loopback")),
    act("socket AF_PACKET SOCK_RAW 0", EPERM, bare(root=True), denied="socket", policies=("strict", "loopback")),
    act("socket AF_KEY SOCK_RAW 2", EPERM, bare(root=True), denied="socket", policies=("strict", "loopback")),
    act("socket AF_XDP SOCK_RAW 0", EPERM, bare(root=True), denied="socket", policies=("strict", "loopback")),
    act("socket AF_INET SOCK_RAW 1", EPERM, bare(root=True), denied="socket", policies=("strict", "loopback")),
    act(MPTCP, EPERM, bare(), denied="socket", policies=("strict", "loopback")),
    act("socketpair", PERMITTED, NoTwin("permitted everywhere: asyncio needs one")),
    act("attach_filter SO_ATTACH_FILTER=26", EPERM, bare(), denied="setsockopt", policies=BOTH),
    *(act(f"attach_filter {option}", EPERM, NoTwin("another program than the probe's"), denied="setsockopt",
          policies=BOTH)
      for option in ("SO_ATTACH_BPF=50", "SO_ATTACH_REUSEPORT_CBPF=51", "SO_ATTACH_REUSEPORT_EBPF=52")),
    *(act(f"socket_buffer {option} 1048576", EPERM, sandboxed(policy="standard"), denied="setsockopt")
      for option in ("SO_SNDBUF", "SO_RCVBUF")),
    act("socket_options", Permitted("done"), bare(), policies=BOTH),
    # the host's services
    act("connect 127.0.0.1 {port}", EPERM, bare(), denied="socket", rule="network"),
    act("connect ::1 {port6}", EPERM, bare(), denied="socket", rule="network"),
    act("connect 169.254.169.254 80", EPERM, bare("127.0.0.1", "{port}"), denied="socket", rule="network"),
    act("connect_unix {socket}", EPERM, bare(), denied="socket", rule="network"),
    act("connect_unix {abstract}", EPERM, bare(), denied="socket", rule="network"),
    act("own_server 127.0.0.1", EPERM, sandboxed(policy="loopback"), denied="socket", rule="network"),
    act("own_server ::1", EPERM, sandboxed(policy="loopback"), denied="socket", rule="network"),
    act("resolve_name example.com", Blocked(), bare("localhost")),
    act("other_interfaces", EPERM, bare(), denied="socket", rule="network"),
]  # fmt: skip
# The same, where a loopback of its own is allowed: it is not the host's.
OWN_LOOPBACK = [
    act("connect 127.0.0.1 {port}", REFUSED, bare(), policies=("loopback", "standard")),
    act("connect ::1 {port6}", REFUSED, bare(), policies=("loopback", "standard")),
    act("connect 169.254.169.254 80", WITHOUT_ROUTE, bare("127.0.0.1", "{port}"), policies=("loopback", "standard")),
    act("connect_unix {abstract}", REFUSED, bare(), policies=("loopback", "standard")),
    act("connect_unix {socket}", ABSENT, bare(), policies=("loopback", "standard")),
    act("send_datagram 192.0.2.1 9", WITHOUT_ROUTE, bare("127.0.0.1", "{port}"), policies=("loopback", "standard")),
    act("resolve_name example.com", Blocked(), bare("localhost"), policies=("loopback", "standard")),
    act("other_interfaces", Blocked(("only lo",)), bare(), policies=("loopback", "standard")),
    act("queue_errors", Blocked(("EAGAIN",)), bare(), policies=("loopback", "standard")),
    act("socket_options tcp", Permitted("done"), bare(), policies=("loopback", "standard")),
]

def _has_i386_calls():
    """A kernel without IA32 emulation has no gate at int 0x80: the instruction itself is a fault, in a sandbox or not."""
    bare_run = subprocess.run([PYTHON, pathlib.Path(__file__).with_name("try_int80.py")], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=60)
    return bare_run.returncode != -SIGSEGV


INT80 = [
    act("int80", Killed(SIGSYS), bare(), policies=BOTH) if _has_i386_calls()
    else act("int80", Killed(SIGSEGV), NoTwin("this kernel has no i386 calls"), policies=BOTH)
]

KERNEL = [
    act("bpf", EPERM, bare(root=True), denied="bpf", policies=BOTH),
    act("perf_event_open", EPERM, bare(root=True), denied="perf_event_open", policies=BOTH),
    act("userfaultfd", EPERM, bare(), denied="userfaultfd", policies=BOTH),
    act("keyctl", EPERM, bare(), denied="keyctl", policies=BOTH),
    act("add_key", EPERM, bare(), denied="add_key", policies=BOTH),
    act("request_key", EPERM, bare(), denied="request_key", policies=BOTH),
    act("io_uring_setup", EPERM, bare(), denied="io_uring_setup", policies=BOTH),
    act("io_uring_enter", EPERM, bare(), denied="io_uring_enter", policies=BOTH),
    act("io_uring_register", EPERM, bare(), denied="io_uring_register", policies=BOTH),
    act("kexec_load", EPERM, bare(root=True), denied="kexec_load"),
    act("init_module", EPERM, bare(root=True), denied="init_module"),
    act("finit_module", EPERM, bare(root=True), denied="finit_module"),
    act("syslog", EPERM, bare(root=True), denied="syslog"),
    act("reboot", EPERM, namespaces(), denied="reboot"),
    act("swapon", EPERM, bare(root=True), denied="swapon"),
    act("settimeofday", EPERM, bare(), denied="settimeofday"),
    act("adjtimex", EPERM, bare(), denied="adjtimex"),
    act("acct", EPERM, bare(root=True), denied="acct"),
    act("quotactl", EPERM, bare(), denied="quotactl"),
    act("iopl", EPERM, bare(), denied="iopl"),
    act("ioperm", EPERM, bare(), denied="ioperm"),
    act("modify_ldt", EPERM, bare(), denied="modify_ldt"),
    act("personality", EPERM, bare(), denied="personality"),
    act("fanotify_init", EPERM, bare(), denied="fanotify_init"),
    act("sethostname", EPERM, namespaces(), denied="sethostname"),
    act("lookup_dcookie", EPERM, bare(root=True), denied="lookup_dcookie"),
    act("move_pages", EPERM, bare(), denied="move_pages"),
    act("memfd_secret", EPERM, bare(), denied="memfd_secret"),
    act("map_huge_pages", EPERM, sandboxed("small"), denied="mmap", policies=BOTH),
    act("seccomp", EPERM, bare(), denied="seccomp"),
    # Programs that confine themselves go on without it; the sandbox is around them already.
    act("landlock", ENOSYS, bare()),
    act("tiocsti 0", EPERM, bare(), denied="ioctl", policies=BOTH),
    act("tiocsti 1", EPERM, bare(), denied="ioctl", policies=BOTH),
    act("tioclinux", EPERM, bare(), denied="ioctl", policies=BOTH),
    *INT80,
    act("x32", Killed(SIGSYS), bare(), policies=BOTH),
    act("unknown_syscall 100000", ENOSYS, NoTwin("no kernel has it"), policies=BOTH),
    act("unknown_syscall 337", ENOSYS, NoTwin("no kernel has it"), policies=BOTH),  # in the gap of the table
]

VARIABLES = frozenset(
    "HOME LANG LANGUAGE LC_ALL LC_CTYPE LOGNAME PATH PWD PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED PYTHONHASHSEED SHELL TMPDIR TZ "
    "USER VIRTUAL_ENV OPENBLAS_NUM_THREADS OMP_NUM_THREADS MKL_NUM_THREADS BLIS_NUM_THREADS NUMEXPR_NUM_THREADS".split()
)
HOST_INFORMATION = [
    act("environment {secret}", Blocked(("not set",)), sandboxed(options=("--env", "{secret}")), policies=BOTH),
    act("environment_names", Listing(frozenset(), VARIABLES), NoTwin("a list"), policies=BOTH),
    act("host_name", Permitted("sandbox"), bare(), policies=BOTH),
    *(act(f"read_file /proc/{name}", ABSENT, bare())
      for name in ("cpuinfo", "version", "meminfo", "stat", "uptime", "cmdline", "filesystems", "interrupts")),
    act("read_file /proc/kallsyms", ABSENT, bare()),
    act("read_file /proc/keys", ABSENT, NoTwin("empty where nobody keeps keys")),
    act("list_directory /proc/sys", ABSENT, bare()),
    act("open_for_writing /proc/sysrq-trigger", ABSENT, bare("{marker}")),
    act("open_for_writing /proc/sys/kernel/core_pattern", ABSENT, bare("{marker}")),
    act("foreign_processes", Blocked(("none",)), bare()),
    act("signal_range {victim}", Blocked(("none", "EPERM")), bare()),
    act("login_name", Blocked(), NoTwin("needs a login session")),
    act("word_in_file root /etc/passwd", Blocked(), bare()),
    act("cgroup_path", Blocked(("only /", "ENOENT")), NoTwin("the caller may be in the root group")),
    act("host_paths_in_mounts", Without("probe-lab-"), NoTwin("a list")),
]  # fmt: skip
