"""What a tool call raises in user code."""
import sys

__builtins__ = __builtins__.copy()


class ToolError(Exception):
    """A tool failed, or the host refused to call it.

    `type` is the name of the error at the tool's end ("ToolDenied" when the policy refuses the call), `message` its
    text. `str()` is "type: message", or the message alone where the type would only repeat this class's name.
    """

    def __init__(self, type="ToolError", message=None, *rest):
        if message is None:  # ToolError("text"), as user code would raise it
            super().__init__(type)
            type, message = self.__class__.__name__, type
        else:
            super().__init__(type, message, *rest)
        self.type = type
        self.message = message

    def __str__(self):
        if self.type == self.__class__.__name__:
            return str(self.message)
        return f"{self.type}: {self.message}"


class ToolArgumentError(ToolError, ValueError):
    """The arguments cannot be sent: too large for a frame, or values JSON has no form for. Nothing was called."""


# Where user code finds them, and what tracebacks call them.
ToolError.__module__ = ToolArgumentError.__module__ = "tools"


def error_of_reply(error):
    """Returns the exception for the `error` object of a reply."""
    kind = error.get("kind")
    message = error.get("message") or ""
    if kind == "timeout":
        return _timeout_class()(message)
    return ToolError(error.get("type") or ("ToolDenied" if kind == "denied" else "ToolError"), message)


_both_timeouts = None


def _timeout_class():
    """TimeoutError; before Python 3.11 `except asyncio.TimeoutError` must catch it, too, which was another class."""
    global _both_timeouts
    asyncio = sys.modules.get("asyncio")
    if sys.version_info >= (3, 11) or asyncio is None:
        return TimeoutError
    if _both_timeouts is None:
        _both_timeouts = type("TimeoutError", (TimeoutError, asyncio.TimeoutError), {"__module__": "builtins"})
    return _both_timeouts
