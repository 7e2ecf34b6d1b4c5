#!/usr/bin/env python3
"""Boots a virtual machine in which tests/vm/inside/ tests a built progtc-run, and repeats its verdict.

    run_vm.py --build BUILD_DIR [--cache CACHE_DIR] [--accel kvm|tcg] [--timeout SECONDS] [TEST ...]

TEST names tests as unittest does: DelegatedScope, or DelegatedScope.test_a_fork_bomb_stays_within_its_limit.
What happens: make-image gives disk, kernel and initial RAM disk; the built programs and the tests go onto a second,
read-only disk; the machine's first serial port is its console (kept as console.log), the second carries the tests'
TAP lines. No network device. The disk is never written: each run starts from the same state.
Exit status: 0 all passed, 1 a test failed, 2 the machine gave no complete verdict.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
SECONDS = {"kvm": 300, "tcg": 1800}  # the whole machine, from power on to power off
SECONDS_TO_KERNEL = 20  # a /dev/kvm inside a virtual machine may exist and never run an instruction of the guest's
UP = b"progtc-vm: the kernel is up"
TOOL_PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


def pick_accelerator(wanted):
    """kvm where this user may use it, else software emulation: ten times slower, the same kernel."""
    if wanted:
        return wanted
    return "kvm" if os.access("/dev/kvm", os.R_OK | os.W_OK) else "tcg"


def pack_payload(build, tests, work):
    """The second disk: what is installed under /payload, the tests and the script that starts them."""
    installed = work / "installed"
    payload = installed / "payload"
    subprocess.run(["cmake", "--install", build, "--prefix", "/payload"], check=True, stdout=subprocess.DEVNULL,
                   env={**os.environ, "DESTDIR": str(installed)})
    shutil.copytree(HERE / "inside", payload, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    (payload / "tests.txt").write_text("".join(f"{test}\n" for test in tests), encoding="utf-8")
    for path in [payload, *payload.rglob("*")]:  # whatever umask the tree was made under, every user reads it
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    size = sum(path.stat().st_size for path in payload.rglob("*") if path.is_file())
    disk = work / "payload.ext4"
    disk.unlink(missing_ok=True)
    subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", "-E", "root_owner=0:0", "-d", payload, disk,
                    f"{size // 1024 + 16384}k"], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PATH": TOOL_PATH})
    shutil.rmtree(installed)
    return disk


def qemu_command(image, disk, work, accelerator):
    append = ["console=ttyS0", "panic=-1", "quiet", "loglevel=4", "systemd.show_status=0", "systemd.log_target=console", "systemd.log_color=0",
              "systemd.unified_cgroup_hierarchy=1", "mitigations=off", "rw"]
    return ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none",
            "-machine", "q35", "-accel", accelerator, "-cpu", "host,-arch-capabilities" if accelerator == "kvm" else "max",
            "-smp", "2", "-m", "1024", "-sandbox", "on",
            "-kernel", image / "vmlinuz", "-initrd", image / "initrd", "-append", " ".join(append),
            "-drive", f"file={image / 'rootfs.ext4'},format=raw,if=none,id=root,snapshot=on,cache=unsafe",
            "-device", "virtio-blk-pci,drive=root",
            "-drive", f"file={disk},format=raw,if=none,id=payload,readonly=on",
            "-device", "virtio-blk-pci,drive=payload",
            "-serial", f"file:{work / 'console.log'}", "-serial", "stdio"]


def follow(stream, tap, lines):
    """Shows TAP as it comes and keeps it."""
    for raw in stream:
        line = raw.decode(errors="replace").rstrip("\r\n")
        lines.append(line)
        tap.write(line + "\n")
        print(line, flush=True)


def boot(image, disk, work, accelerator, timeout):
    """(TAP lines, whether the kernel came up) of one life of the machine, at most `timeout` seconds."""
    lines = []
    console = work / "console.log"
    console.unlink(missing_ok=True)
    started = time.monotonic()
    is_up = False
    machine = subprocess.Popen(qemu_command(image, disk, work, accelerator), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE)
    with machine, open(work / "results.tap", "w", encoding="utf-8") as tap:
        reader = threading.Thread(target=follow, args=(machine.stdout, tap, lines))
        reader.start()
        try:
            while machine.poll() is None:
                is_up = is_up or (console.exists() and UP in console.read_bytes())
                lived = time.monotonic() - started
                if lived > timeout:
                    print(f"# the machine was killed after {timeout:.0f} s", flush=True)
                    break
                if accelerator == "kvm" and not is_up and lived > SECONDS_TO_KERNEL:
                    break
                time.sleep(0.1)
        finally:
            machine.kill()
            reader.join()
    return lines, is_up or UP in console.read_bytes()


def verdict(lines):
    """(exit status, summary) of TAP lines: a plan that is not fulfilled is no verdict."""
    planned = next((int(found[1]) for line in lines if (found := re.match(r"1\.\.(\d+)", line))), None)
    results = [line for line in lines if re.match(r"(not )?ok\b", line)]
    failed = sum(line.startswith("not ") for line in results)
    skipped = sum("# SKIP" in line for line in results)
    summary = f"{len(results)} tests, {failed} failed, {skipped} skipped"
    if planned is None or planned != len(results):
        return 2, f"the machine ended after {len(results)} of {planned or 'an unknown number of'} tests"
    return (1 if failed else 0), summary


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="a build, which is installed on the second disk")
    parser.add_argument("--cache", type=pathlib.Path, default=HERE.parents[1] / "build" / "vm", help="where images are kept")
    parser.add_argument("--accel", choices=["kvm", "tcg"], help="default: kvm where /dev/kvm may be used")
    parser.add_argument("--timeout", type=float, help=f"seconds until the machine is killed ({SECONDS})")
    parser.add_argument("tests", nargs="*", metavar="TEST")
    options = parser.parse_args()

    image = pathlib.Path(subprocess.run([HERE / "make-image", options.cache], check=True, stdout=subprocess.PIPE,
                                        text=True).stdout.strip())
    accelerator = pick_accelerator(options.accel)
    timeout = options.timeout or SECONDS[accelerator]
    work = options.cache / f"run-{os.getpid()}"
    work.mkdir(parents=True)
    disk = pack_payload(options.build.resolve(), options.tests, work)

    started = time.monotonic()
    lines, is_up = boot(image, disk, work, accelerator, timeout)
    if not is_up and accelerator == "kvm" and not options.accel:
        accelerator = "tcg"
        print("# /dev/kvm runs no kernel here: software emulation instead", flush=True)
        lines, _ = boot(image, disk, work, accelerator, options.timeout or SECONDS["tcg"])
    status, summary = verdict(lines)
    print(f"vm ({accelerator}, {time.monotonic() - started:.0f} s): {summary}")
    console = work / "console.log"
    if status == 2 and console.exists():
        print("".join(f"  console: {line}\n" for line in
                      console.read_text(errors="replace").splitlines()[-30:]), file=sys.stderr)
    for name in ("console.log", "results.tap"):
        if (work / name).exists():
            (work / name).replace(options.cache / name)
    shutil.rmtree(work)
    return status


if __name__ == "__main__":
    sys.exit(main())
