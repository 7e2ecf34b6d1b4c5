"""JSON text as the channel wants it, straight from the C accelerator.

`import json` costs 6 ms (it pulls `re` and `enum`), more than a whole run may; the functions it wraps cost nothing. The
accelerator is a shared object of its own, 0.3 ms: `load` it before the code runs where JSON will be needed. A run that
only prints needs none: its job is read by `decode_job`, its end written by `encode_plain`.
"""
__builtins__ = __builtins__.copy()

make_encoder = encode_basestring = _scan_fast = _scan_long = None
_is_loaded = False

MAX_DEPTH = 128  # of a payload, its own braces included: more is a violation of the channel's protocol
MAX_DIGITS = 308  # of a number: readers of JSON hold what exceeds 64 bits as a double, and those end here

_TO_SHAPE = bytes.maketrans(b"{}123456789", b"[]000000000")
_ESCAPES = {code: f"\\u{code:04x}" for code in range(32)}
_ESCAPES.update({ord('"'): '\\"', ord("\\"): "\\\\"})
_NOT_FROM_STRINGS = (b'0":', b'true":', b'false":', b'null":')
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def encode(value):
    """Returns UTF-8 bytes without spaces.

    Errors: TypeError for what JSON has no form for; ValueError for NaN and infinities, lone surrogates, cycles,
    more than MAX_DEPTH levels (of `value`), integers of more than MAX_DIGITS digits, keys whose texts are equal.
    """
    load()
    try:
        if make_encoder:
            # A new encoder each time: the marks against cycles are its state, and callers may be threads.
            chunks = make_encoder({}, _refuse, encode_basestring, None, ":", ",", False, False, False)(value, 0)
            text = "".join(chunks)
        else:
            import json
            text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply for JSON") from None
    try:
        payload = text.encode("utf-8")
    except UnicodeEncodeError as error:
        surrogate = text[error.start]
        raise ValueError(f"text with a lone surrogate ({surrogate!r}) has no form in JSON") from None
    _check_shape(payload)
    _check_keys(payload, text)
    return payload


def decode(payload):
    """Returns the value of one JSON document. Errors: ValueError."""
    load()
    text = payload.decode("utf-8")
    if not make_encoder:
        import json
        return json.loads(text)
    try:
        return _scan(text, _scan_fast)
    except ValueError:  # perhaps a number longer than int() converts by default (3.11); rare enough to parse twice
        return _scan(text, _scan_long)


def decode_job(payload):
    """Returns the value of the job. Without the accelerator it is read by the compiler: what the host itself wrote is a
    Python expression, too, as the host escapes control characters and nothing else."""
    if _scan_fast:
        return decode(payload)
    return eval(payload.decode("utf-8"), {"__builtins__": {}, "true": True, "false": False, "null": None})


def encode_plain(value):
    """As `encode`, for strings without lone surrogates, integers, booleans, and dicts of them."""
    if isinstance(value, str):
        return b'"' + value.translate(_ESCAPES).encode("utf-8") + b'"'
    if isinstance(value, dict):
        return b"{" + b",".join([encode_plain(key) + b":" + encode_plain(item) for key, item in value.items()]) + b"}"
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if value.bit_length() > 1000:
        raise ValueError(f"integer of more than {MAX_DIGITS} digits")
    return b"%d" % value


def replace_surrogates(text):
    """Returns `text` with U+FFFD for each lone surrogate, so that it can be encoded."""
    try:
        text.encode("utf-8")
        return text
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _long_int(digits):
    sign, digits = (-1, digits[1:]) if digits[0] == "-" else (1, digits)
    value = 0
    for start in range(0, len(digits), 4000):  # int() takes 4300 digits, whatever the limit was set to
        piece = digits[start:start + 4000]
        value = value * 10 ** len(piece) + int(piece)
    return sign * value


def _scanner(to_int, pairs_hook=None):
    class Context:
        strict = False
        object_hook = None
        object_pairs_hook = pairs_hook
        parse_float = parse_constant = float
        parse_int = staticmethod(to_int)
        memo = {}

    return make_scanner(Context)


def load():
    """Finds the accelerator. To be called before the code runs, which may leave no descriptor to open a file with."""
    global make_encoder, make_scanner, encode_basestring, _scan_fast, _scan_long, _is_loaded
    if _is_loaded:
        return
    _is_loaded = True
    try:
        from _json import encode_basestring, make_encoder, make_scanner
    except ImportError:  # an interpreter built without it
        return
    _scan_fast = _scanner(int)
    _scan_long = _scanner(_long_int)


def _scan(text, scan):
    start = len(text) - len(text.lstrip())
    try:
        return scan(text, start)[0]
    except StopIteration:
        raise ValueError("not a JSON document") from None


def _refuse(value):
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _check_shape(payload):
    # Counting is C speed; the exact look, which must leave strings out, happens to hardly any payload.
    if payload.count(b"[") + payload.count(b"{") > MAX_DEPTH:
        brackets = _outside_strings(payload).translate(_TO_SHAPE, _NOT_BRACKETS)
        for _ in range(MAX_DEPTH):
            if not brackets:
                break
            brackets = brackets.replace(b"[]", b"")  # one level, the innermost everywhere
        if brackets:
            raise ValueError(f"nested more than {MAX_DEPTH} levels deep")
    if len(payload) > MAX_DIGITS:
        too_long = b"0" * (MAX_DIGITS + 1)
        if too_long in payload.translate(_TO_SHAPE) and too_long in _outside_strings(payload).translate(_TO_SHAPE):
            raise ValueError(f"integer of more than {MAX_DIGITS} digits")


def _check_keys(payload, text):
    # {1: "a", "1": "b"} is written with one key twice. Only a key that is no string can be another one's twin, and its
    # text ends in a digit or is a word.
    shape = payload.translate(_TO_SHAPE)
    if not any(map(shape.__contains__, _NOT_FROM_STRINGS)):
        return
    if make_encoder:
        _scan(text, _scanner(int, _refuse_twins))
    else:
        import json
        json.loads(text, object_pairs_hook=_refuse_twins)


def _refuse_twins(pairs):
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise ValueError(f"two keys of a dict are written {key!r} in JSON")
        seen.add(key)


def _outside_strings(payload):
    return b"_".join(payload.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
