"""Looks for WORD in the text of FILE."""
import sys

from probe import blocked, permitted

try:
    with open(sys.argv[2], errors="surrogateescape") as file:
        text = file.read()
except OSError as error:
    blocked(error)
for line in text.splitlines():
    if sys.argv[1] in line:
        permitted(line)
blocked("not in it")
