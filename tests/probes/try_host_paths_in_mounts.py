"""Prints the roots of the mounts it sees: where on their own file systems they begin, which are paths of the host."""
from probe import attempt, blocked


def act():
    with open("/proc/self/mountinfo") as file:
        roots = sorted({line.split()[3] for line in file} - {"/"})
    return " ".join(roots) or blocked("none")


attempt(act)
