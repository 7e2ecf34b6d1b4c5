"""Closes the channel and goes on."""
import os

os.close(3)
print("permitted: went on", flush=True)
