"""Prints the paths of its control groups: they tell where the caller runs."""
from probe import attempt, blocked


def act():
    with open("/proc/self/cgroup") as file:
        paths = sorted({line.rstrip("\n").split(":", 2)[2] for line in file} - {"/"})
    return " ".join(paths) or blocked("only /")


attempt(act)
