"""Runs a program with the subprocess module."""
import subprocess
import sys

from probe import attempt

attempt(lambda: subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True) and None)
