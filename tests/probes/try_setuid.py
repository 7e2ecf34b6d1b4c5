"""Becomes user 0."""
import os

from probe import attempt

attempt(lambda: os.setuid(0))
