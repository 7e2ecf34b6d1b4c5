"""What the probes share. A probe does one act and says in one line how it went:

    permitted: DETAIL     the act worked, or the kernel's own code answered it
    blocked: REASON       it did not: an errno's name, or words
    unsupported: REASON   this machine has no such thing, sandbox or not

Both outcomes exit with status 0. Anything else (no line, another status) is a broken probe, or a process that was killed.
The driver puts this file's text in front of a probe's, so a probe is one script inside the sandbox too.
"""

import ctypes
import errno
import os
import platform

# name: (x86-64, aarch64), as <asm/unistd.h> has them.
NUMBERS = {
    "accept4": (288, 242), "acct": (163, 89), "add_key": (248, 217), "adjtimex": (159, 171), "bpf": (321, 280),
    "capget": (125, 90), "chroot": (161, 51), "clone": (56, 220), "clone3": (435, 435), "close_range": (436, 436),
    "execveat": (322, 281), "fanotify_init": (300, 262), "fcntl": (72, 25), "finit_module": (313, 273), "fsconfig": (431, 431),
    "fsopen": (430, 430), "fspick": (433, 433), "init_module": (175, 105), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "io_uring_setup": (425, 425), "ioctl": (16, 29), "ioperm": (173, None),
    "iopl": (172, None), "kcmp": (312, 272), "kexec_load": (246, 104), "keyctl": (250, 219),
    "landlock_create_ruleset": (444, 444), "lookup_dcookie": (212, 18), "mbind": (237, 235),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "migrate_pages": (256, 238), "modify_ldt": (154, None),
    "mount": (165, 40), "mount_setattr": (442, 442), "move_mount": (429, 429), "move_pages": (279, 239),
    "open_by_handle_at": (304, 265), "open_tree": (428, 428), "perf_event_open": (298, 241), "personality": (135, 92),
    "pidfd_getfd": (438, 438), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "pivot_root": (155, 41),
    "prctl": (157, 167), "process_madvise": (440, 440), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "ptrace": (101, 117), "quotactl": (179, 60), "reboot": (169, 142),
    "request_key": (249, 218), "seccomp": (317, 277), "sethostname": (170, 161), "setns": (308, 268),
    "settimeofday": (164, 170), "swapon": (167, 224), "syslog": (103, 116), "umount2": (166, 39),
    "unshare": (272, 97), "userfaultfd": (323, 282), "vfork": (58, None), "vhangup": (153, 58), "vmsplice": (278, 75),
}  # fmt: skip
IS_X86_64 = platform.machine() == "x86_64"

CLONE_FLAGS = {
    "newtime": 0x80, "newns": 0x20000, "newcgroup": 0x2000000, "newuts": 0x4000000, "newipc": 0x8000000,
    "newuser": 0x10000000, "newpid": 0x20000000, "newnet": 0x40000000,
}  # fmt: skip
AT_FDCWD = -100

_libc = ctypes.CDLL(None, use_errno=True)


def _end(word, detail):
    line = f"{word}: {detail}".replace("\n", " ")
    os.write(1, line.encode("utf-8", "backslashreplace") + b"\n")
    os._exit(0)


def permitted(detail="done"):
    _end("permitted", detail)


def blocked(reason):
    if isinstance(reason, OSError):
        reason = errno.errorcode.get(reason.errno, str(reason))
    _end("blocked", reason)


def unsupported(reason):
    _end("unsupported", reason)


def number(name):
    """The number of a call on this machine; ends the probe where there is none."""
    found = NUMBERS[name][0 if IS_X86_64 else 1]
    if found is None:
        unsupported(f"no {name} on {platform.machine()}")
    return found


def syscall(call, *arguments):
    """The raw call, by name or number; every argument is passed with all its 64 bits. Raises OSError."""
    nr = number(call) if isinstance(call, str) else call
    widened = [ctypes.c_ulong(value & (1 << 64) - 1) if isinstance(value, int) else value for value in arguments]
    ctypes.set_errno(0)
    result = _libc.syscall(ctypes.c_long(nr), *widened)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def reach(call, *arguments, answers=()):
    """Makes one call and ends the probe. `answers` are the errors by which the kernel's own code says that it was
    reached: most of these calls are made with arguments that could do no harm where they are permitted."""
    try:
        result = syscall(call, *arguments)
    except OSError as error:
        name = errno.errorcode.get(error.errno, str(error.errno))
        if name in answers:
            permitted(f"the kernel answered {name}")
        blocked(name)
    permitted(f"returned {result}")


def attempt(act):
    """Does `act` and ends the probe: permitted with what it returns, or blocked with the errno of its OSError."""
    try:
        detail = act()
    except OSError as error:
        blocked(error)
    permitted("done" if detail is None else detail)


def run_machine_code(code):
    """Runs x86-64 machine code as a function without arguments; returns what it leaves in eax."""
    import mmap

    if not IS_X86_64:
        unsupported(f"machine code for x86-64 on {platform.machine()}")
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    function = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))
    return function()
