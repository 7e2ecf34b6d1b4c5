"""The payload of `done`: what the code says of itself, always small enough for one frame."""
from .jsontext import encode, encode_plain, replace_surrogates

__builtins__ = __builtins__.copy()

_MAX_MESSAGE = 1 << 16  # characters
_MAX_TRACEBACK = 1 << 18


def success(value, frame_bytes):
    """For code that ended by itself, with the value of its last expression; None is no value."""
    if value is None:
        return b'{"ok":true}'
    cap = frame_bytes - 64
    payload = _value_json(value)
    if len(payload) > cap:
        if not isinstance(value, str):
            return b'{"ok":true}'
        # An escaped character takes six bytes at most, a character four.
        payload = encode(replace_surrogates(value[:cap // 6 - 1]))
    return b'{"ok":true,"value":' + payload + b"}"


def failure(error, traceback, frame_bytes):
    """For code that ended by `error`; `traceback` is its text."""
    fields = {"type": type(error).__name__, "message": _text(error)}
    if isinstance(error, OSError):
        if isinstance(error.errno, int):
            fields["errno"] = error.errno
        if isinstance(error.filename, bytes):
            fields["filename"] = error.filename.decode("utf-8", "replace")
        elif isinstance(error.filename, str):
            fields["filename"] = error.filename
    return _failure(fields, traceback, frame_bytes)


def exit_failure(code, frame_bytes):
    """For `sys.exit(code)` with anything but success."""
    return _failure({"type": "SystemExit", "message": _text(code)}, "", frame_bytes)


def _failure(fields, traceback, frame_bytes):
    fields = {key: replace_surrogates(field) if isinstance(field, str) else field for key, field in fields.items()}
    traceback = replace_surrogates(traceback)
    for shrink in (1, 16, 256, 0):
        fields["traceback"] = _shorten(traceback, _MAX_TRACEBACK // shrink if shrink else 0)
        fields["message"] = _shorten(fields["message"], _MAX_MESSAGE // shrink if shrink else 0)
        if "filename" in fields:
            fields["filename"] = _shorten(fields["filename"], 4096 // shrink if shrink else 0)
        try:
            payload = encode_plain({"ok": False, "error": fields})
        except ValueError:  # an errno of more digits than fit
            fields.pop("errno", None)
            continue
        if len(payload) + 64 <= frame_bytes:
            return payload
    return b'{"ok":false,"error":{"type":"","message":"","traceback":""}}'


def _value_json(value):
    try:
        return encode(value)
    except (TypeError, ValueError, RecursionError):
        pass
    try:
        return encode(_finite(value, 100))
    except Exception:
        return encode(replace_surrogates(_text(value)))


def _finite(value, levels):
    """A copy with strings for what keeps it from being JSON: NaN, infinities, lone surrogates."""
    if levels == 0:
        raise ValueError("nested too deeply")
    if isinstance(value, float):
        return value if value - value == 0 else str(value)
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, (list, tuple)):
        return [_finite(item, levels - 1) for item in value]
    if isinstance(value, dict):
        return {_finite(key, 1): _finite(item, levels - 1) for key, item in value.items()}
    return value


def _text(value):
    try:
        return str(value)
    except BaseException:
        return f"<unprintable {type(value).__name__} object>"


def _shorten(text, limit):
    if len(text) <= limit:
        return text
    return text[:limit // 2] + "\n[...]\n" + text[len(text) - limit // 2:] if limit else ""
