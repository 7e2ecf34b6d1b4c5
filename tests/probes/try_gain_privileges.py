"""Looks at whether executing could gain privileges, and whether a filter is installed."""
from probe import blocked, permitted

with open("/proc/self/status") as file:
    lines = dict(line.split(":", 1) for line in file)
state = f"NoNewPrivs {lines['NoNewPrivs'].strip()} Seccomp {lines['Seccomp'].strip()}"
if state == "NoNewPrivs 1 Seccomp 2":
    blocked(state)
permitted(state)
