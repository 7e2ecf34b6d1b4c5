"""The channel to the host: frames over one stream socket, shared by threads and event loops.

A frame is a little-endian u32 (length of the payload), one byte (kind), the payload (a JSON object).

Sharing. `_lock` guards all state and is never held while waiting: the descriptor is non-blocking, and whoever waits
does so in `poll` or in an event loop. Of the threads that wait for replies one, the *leader*, polls and hands out what
arrives, its own reply or another's; the others sleep on a lock of their own. A leader that is done wakes one of them
to lead. Event loops watch the descriptor themselves (`add_reader`), so a loop needs no thread, and any of them may read
a reply that is meant for another. But nobody reads past a leader: it would go on polling for a reply already taken. What
wakes the others wakes it as well, and they find nothing left, or the leader gone.

Backpressure. The host stops reading when too many calls are pending. A sender that cannot write therefore goes on
reading, or both ends would wait for each other.

Interruption. A signal handler may raise between any two bytecodes, also between `read` and the assignment of what it
returned, and a byte lost there would shift every later frame. The two places where bytes change hands are hence
single C calls: `map` runs the system call and the buffer's update without a bytecode in between.
"""
from _thread import RLock, allocate_lock, get_ident
from itertools import count
from posix import close, read, set_blocking, set_inheritable, write
from select import POLLIN, POLLOUT, poll

from .errors import ToolArgumentError, ToolError, error_of_reply
from .jsontext import decode, decode_job, encode

__builtins__ = __builtins__.copy()

READY, CALL, REQUEST, DONE, LEAVE = 1, 2, 3, 4, 5
JOB, REPLY, CANCEL = 16, 17, 18

_HEADER_BYTES = 5
_DEFAULT_FRAME_BYTES = 16 << 20
_READ_BYTES = 8192  # at least; of a frame known to be longer, up to 1 MiB at a time
# A signal handler that calls a tool while the leader polls beneath it may take the leader's reply, and Python resumes
# an interrupted poll: it ends after this time to look. Every other wait ends with an event.
_POLL_MS = 1000
_GONE = {"error": {"kind": "tool_error", "message": "the host has gone"}}
_CANCELLED = {"error": {"kind": "tool_error", "type": "Cancelled", "message": "the host cancelled the call"}}


class Channel:
    """One end of the socket. Every method may be called from every thread; the async one from every running loop."""

    def __init__(self, fd):
        self._fd = fd
        self.frame_bytes = _DEFAULT_FRAME_BYTES  # the cap on what is sent; the job brings the real one
        self._lock = RLock()  # re-entrant: a signal handler of the user may call a tool
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._pending = {}  # id -> _Thread or _Future
        self._loops = set()  # the event loops that watch the descriptor
        self._leader = None  # the waiter whose thread polls
        self._ids = count(1)
        self._job = None
        self._is_gone = False
        set_blocking(fd, False)
        set_inheritable(fd, False)  # programs that user code may start have no business here

    def send(self, *frames):
        """Sends (kind, payload) pairs and returns when they are written; silently drops them when the host has gone."""
        with self._lock:
            for kind, payload in frames:
                self._enqueue(kind, payload)
        self._drain()

    def receive_job(self):
        """Returns the job, or None when the host goes instead of sending one."""
        while self._job is None and not self._is_gone:
            self._wait()
            with self._lock:
                self._read(None)
        return self._job

    def call(self, tool, args, kwargs):
        """Calls a tool of the host and returns its result. Errors: ToolError, ToolArgumentError, TimeoutError,
        TypeError for arguments JSON has no form for."""
        waiter = _Thread()
        call_id = self._submit(waiter, tool, args, kwargs)
        try:
            self._drain()
            self._wait_for(waiter)
        finally:
            self._forget(call_id)
        return _result_of(waiter.reply)

    async def call_async(self, tool, args, kwargs):
        """As `call`, for a coroutine of a running asyncio loop. A cancelled call is forgotten, its reply ignored."""
        from asyncio import get_running_loop
        loop = get_running_loop()
        waiter = _Future(loop)
        call_id = self._submit(waiter, tool, args, kwargs)
        try:
            self._watch(loop)
            reply = await waiter.future
        finally:
            self._forget(call_id)
        return _result_of(reply)

    def abandon(self):
        """For the child of a fork: the channel stays the parent's."""
        self._lock = RLock()  # another thread may have held it
        self._pending = {}
        self._loops = set()
        self._leader = None
        self._is_gone = True
        try:
            close(self._fd)
        except OSError:
            pass

    # Sending.

    def _submit(self, waiter, tool, args, kwargs):
        call_id = next(self._ids)
        try:
            payload = encode({"id": call_id, "tool": tool, "args": args, "kwargs": kwargs})
        except ValueError as error:
            raise ToolArgumentError(f"tools.{tool}: {error}") from None
        except TypeError as error:
            raise TypeError(f"tools.{tool}: {error}") from None
        size = len(payload) + _HEADER_BYTES
        if size > self.frame_bytes:
            raise ToolArgumentError(f"tools.{tool}: the arguments take {size} bytes, the limit is {self.frame_bytes}")
        with self._lock:
            if self._is_gone:
                raise ToolError("the host has gone")
            self._pending[call_id] = waiter
            self._enqueue(CALL, payload)
        return call_id

    def _enqueue(self, kind, payload):
        if not self._is_gone:
            self._outgoing += len(payload).to_bytes(4, "little") + kind.to_bytes(1, "little") + payload
            self._write()

    def _write(self):
        """Writes what the socket takes now."""
        outgoing = self._outgoing
        try:
            while outgoing:
                # outgoing.__delitem__(slice(0, write(fd, outgoing))), see "Interruption".
                for _ in map(outgoing.__delitem__, map(slice, (0,), map(write, (self._fd,), (outgoing,)))):
                    pass
        except BlockingIOError:
            pass
        except OSError:
            # Replies may still be there to read, so only reading finds out that the host has gone.
            outgoing.clear()

    def _drain(self):
        while self._outgoing and not self._is_gone:
            self._wait()
            with self._lock:
                self._write()
                if self._may_read():
                    self._read(None)

    # Receiving.

    def _wait(self):
        """Until the socket is ready. Without the lock."""
        poller = poll()
        poller.register(self._fd, POLLIN | POLLOUT if self._outgoing else POLLIN)
        poller.poll(_POLL_MS)

    def _read(self, loop):
        """Reads once what is there and hands out every complete frame; `loop` is the one this thread runs, or None."""
        incoming = self._incoming
        before = len(incoming)
        wanted = max(_READ_BYTES, min(self._frame_end() - before, 1 << 20))
        try:
            # incoming.extend(read(fd, wanted)), see "Interruption".
            for _ in map(incoming.extend, map(read, (self._fd,), (wanted,))):
                pass
        except BlockingIOError:
            return
        except OSError:
            self._lose_host(loop)
            return
        if len(incoming) == before:
            self._lose_host(loop)
            return
        while len(incoming) >= self._frame_end():
            end = self._frame_end()
            kind = incoming[4]
            payload = bytes(incoming[_HEADER_BYTES:end])
            try:
                self._dispatch(kind, payload, loop)
            finally:
                del incoming[:end]

    def _frame_end(self):
        if len(self._incoming) < _HEADER_BYTES:
            return _HEADER_BYTES
        return _HEADER_BYTES + int.from_bytes(self._incoming[:4], "little")

    def _dispatch(self, kind, payload, loop):
        if kind not in (JOB, REPLY, CANCEL):
            return
        try:
            if kind == JOB:
                if self._job is None:
                    self._job = decode_job(payload)
                return
            message = decode(payload)
            waiter = self._pending.pop(message["id"], None)  # None: cancelled meanwhile, or never ours
        except (ValueError, KeyError, TypeError):
            self._lose_host(loop)  # out of step; whoever waits must not wait for ever
            return
        if waiter:
            waiter.deliver(message if kind == REPLY else _CANCELLED, loop)

    def _lose_host(self, loop):
        self._is_gone = True
        self._outgoing.clear()
        while self._pending:
            self._pending.popitem()[1].deliver(_GONE, loop)
        if loop:  # the others find out for themselves
            self._unwatch(loop)

    def _forget(self, call_id):
        with self._lock:
            self._pending.pop(call_id, None)

    # Waiting in a thread.

    def _wait_for(self, waiter):
        while waiter.reply is None:
            with self._lock:
                if waiter.reply is not None:
                    break
                before = self._leader
                leads = self._may_read()
                if leads:
                    self._leader = waiter
            if not leads:
                self._sleep(waiter)
                continue
            try:
                while waiter.reply is None:
                    self._wait()
                    with self._lock:
                        self._write()
                        self._read(None)
            finally:
                with self._lock:
                    self._leader = before
                    self._promote()

    def _may_read(self):
        # A signal handler that interrupted the leader reads in its place, or it would wait for itself.
        return self._leader is None or self._leader.thread == get_ident()

    def _sleep(self, waiter):
        try:
            waiter.wake.acquire()
        except BaseException:
            with self._lock:
                waiter.reply = _GONE  # this thread leads nobody any more
                self._promote()  # it may have been told to
            raise

    def _promote(self):
        if self._leader is None:
            for waiter in self._pending.values():
                if waiter.may_lead():
                    waiter.notify()
                    break

    # Waiting in an event loop.

    def _watch(self, loop):
        with self._lock:
            if loop not in self._loops:
                self._loops = {other for other in self._loops if not other.is_closed()}
                self._loops.add(loop)
                loop.add_reader(self._fd, self._on_readable, loop)
            if self._outgoing:
                loop.add_writer(self._fd, self._on_writable, loop)

    def _on_readable(self, loop):
        with self._lock:
            if self._may_read():
                self._read(loop)
            # The registration outlives a call, as the next one usually follows; it ends with the first wake-up that
            # finds this loop waiting for nothing.
            if self._is_gone or not any(waiter.loop is loop for waiter in self._pending.values()):
                self._unwatch(loop)

    def _on_writable(self, loop):
        with self._lock:
            self._write()
            if not self._outgoing:
                loop.remove_writer(self._fd)

    def _unwatch(self, loop):
        if loop in self._loops:
            self._loops.discard(loop)
            loop.remove_reader(self._fd)
            loop.remove_writer(self._fd)


class _Thread:
    """A thread that waits for one reply."""

    loop = None

    def __init__(self):
        self.thread = get_ident()
        self.reply = None
        self.wake = allocate_lock()
        self.wake.acquire()

    def deliver(self, reply, _loop):
        self.reply = reply
        self.notify()

    def may_lead(self):
        return self.reply is None

    def notify(self):
        try:
            self.wake.release()
        except RuntimeError:  # not locked: already notified
            pass


class _Future:
    """A coroutine that waits for one reply in its event loop."""

    def __init__(self, loop):
        self.loop = loop
        self.future = loop.create_future()

    def deliver(self, reply, loop):
        if loop is self.loop:
            self._resolve(reply)
            return
        try:
            self.loop.call_soon_threadsafe(self._resolve, reply)
        except RuntimeError:  # that loop is closed, and nobody waits there
            pass

    def _resolve(self, reply):
        if not self.future.done():
            self.future.set_result(reply)

    def may_lead(self):
        return False

    def notify(self):
        pass


def _result_of(reply):
    error = reply.get("error")
    if error is None:
        return reply.get("result")
    raise error_of_reply(error)
