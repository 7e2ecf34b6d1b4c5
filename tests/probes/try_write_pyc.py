"""Imports a module from the working directory and looks for the bytecode that importing leaves behind."""
import os
import sys

from probe import blocked, permitted

with open("planted.py", "w") as file:
    file.write("value = 1\n")
sys.path.insert(0, os.getcwd())
import planted  # noqa: E402, F401

if os.path.exists("__pycache__"):
    permitted("__pycache__")
blocked("no bytecode written")
