"""Prints the paths of its control groups, but for the run's own: a number that says nothing of the host (cgroup v1, as root)."""
import re

from probe import attempt, blocked


def act():
    with open("/proc/self/cgroup") as file:
        paths = sorted({line.rstrip("\n").split(":", 2)[2] for line in file} - {"/"})
        paths = [path for path in paths if not re.fullmatch(r"/progtc-\d{1,4}-\d+", path)]
    return " ".join(paths) or blocked("only /")


attempt(act)
