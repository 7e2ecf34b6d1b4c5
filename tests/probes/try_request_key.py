"""Asks for a key that is not there."""
from probe import reach

reach("request_key", b"user", b"progtc-no-such-key", None, 0, answers=("ENOKEY",))
