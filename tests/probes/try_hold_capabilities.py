"""Looks for capabilities in any of its five sets."""
from probe import blocked, permitted

with open("/proc/self/status") as file:
    lines = dict(line.split(":", 1) for line in file)
held = [f"{name}={lines[name].strip()}" for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(lines[name], 16)]
if held:
    permitted(" ".join(held))
blocked("no capability")
