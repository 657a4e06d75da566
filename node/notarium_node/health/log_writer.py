"""Writes log lines in a thread of its own, so that whoever logs never waits for whoever reads.

A pipe that nobody reads blocks its writer for good. The lines wait in a bounded queue meanwhile; what finds no room, or
cannot be written, is dropped and counted, and the next line that is written says how many. The order is kept.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

QUEUE_BYTES = 1 << 20
"""Lines wait up to this sum of their lengths. After a loss, there is room again once half of it is free, so that
one line in the log reports many lost ones."""
TICK_S = 1.0


class LogWriter:
    """One thread and its queue."""

    def __init__(
        self,
        write: Callable[[bytes], None],
        describe_loss: Callable[[int], bytes],
        on_tick: Callable[[], None] = lambda: None,
    ) -> None:
        """`write` may block, and raises OSError where it fails. `on_tick`: called by the thread every TICK_S or so."""
        self._write = write
        self._describe_loss = describe_loss
        self._on_tick = on_tick
        self._changed = threading.Condition()
        self._lines: deque[tuple[int, bytes]] = deque()
        """Each with the number of lines that were dropped just before it."""
        self._waiting_bytes = 0
        self._dropped = 0
        """Since the last line in the queue."""
        self._unreported = 0
        """Lines lost since the last successful write; only the thread uses it."""
        self._is_writing = False
        self._is_closed = False
        self.lost = 0
        """Lines that were dropped or could not be written, since the start."""
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Queue a line with its line feed, or drop it. Never waits for a write."""
        with self._changed:
            limit = QUEUE_BYTES // 2 if self._dropped else QUEUE_BYTES
            if self._is_closed or self._waiting_bytes + len(line) > limit:
                self._dropped += 1
                self.lost += 1
                return
            self._append(line)
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait, at most so long, until all that waits now is written or lost. False: something waits still."""
        with self._changed:
            return self._changed.wait_for(self._is_idle, seconds)

    def close(self, seconds: float) -> bool:
        """Flush, and end the thread. False: the last write has not returned; the thread ends with the process."""
        done = self.flush(seconds)
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        return done

    def _is_idle(self) -> bool:
        return not (self._lines or self._dropped or self._is_writing) or self._is_closed

    def _append(self, line: bytes) -> None:
        self._lines.append((self._dropped, line))
        self._waiting_bytes += len(line)
        self._dropped = 0

    def _run(self) -> None:
        tick_at = time.monotonic() + TICK_S
        while True:
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines or self._dropped or self._is_closed, TICK_S)
                if self._is_closed:
                    return
                if self._dropped and not self._lines:
                    self._append(b"")
                dropped, line = self._lines.popleft() if self._lines else (0, b"")
                self._waiting_bytes -= len(line)
                self._is_writing = bool(dropped or line)
            if self._is_writing:
                self._write_line(dropped, line)
            if time.monotonic() >= tick_at:
                self._on_tick()
                tick_at = time.monotonic() + TICK_S

    def _write_line(self, dropped: int, line: bytes) -> None:
        self._unreported += dropped
        report = self._describe_loss(self._unreported) if self._unreported else b""
        try:
            self._write(report + line)
        except OSError:  # It is counted, and the next line that is written says so: there is no other place to say it.
            self._unreported += bool(line)
            self.lost += bool(line)
        else:
            self._unreported = 0


class Descriptor:
    """Writes whole lines to an open file, whatever it is: a file, a pipe, a terminal, blocking or not."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_torn = False
        """The last write ended inside a line."""

    def __call__(self, data: bytes) -> None:
        """Write all, and wait as long as that takes. Raises OSError."""
        rest = memoryview(b"\n" + data if self._is_torn else data)
        while rest:
            try:
                written = os.write(self._descriptor, rest)
            except BlockingIOError:
                select.select([], [self._descriptor], [])
                continue
            rest = rest[written:]
            self._is_torn = len(rest) > 0
