"""Holds the undefined symbols of runner/child to the written list: every one a thin wrapper of a system call, or memory and
string functions that neither allocate nor lock. A new name is a decision, made by adding it to child_symbols.txt."""
import subprocess
import sys

nm, allowed_file, *objects = sys.argv[1:]
with open(allowed_file) as file:
    allowed = {line.strip() for line in file if line.strip() and not line.startswith("#")}
printed = subprocess.run([nm, "--undefined-only", "--format=just-symbols", *objects], check=True, text=True, capture_output=True).stdout
used = {line.strip() for line in printed.splitlines() if line.strip() and not line.endswith(":")}
strangers = sorted(used - allowed)
if strangers:
    sys.exit(f"runner/child calls what is not on the list: {', '.join(strangers)}")
if not used:
    sys.exit("nm found no symbol at all: the test looks at the wrong file")
