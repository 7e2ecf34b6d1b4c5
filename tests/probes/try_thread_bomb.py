"""Starts COUNT threads that wait."""
import sys
import threading

from probe import blocked, permitted

gate = threading.Event()
started = 0
try:
    for _ in range(int(sys.argv[1])):
        threading.Thread(target=gate.wait, daemon=True).start()
        started += 1
except RuntimeError as error:
    blocked(f"{error} after {'some' if started else 'none'}")
permitted(f"{started} threads")
