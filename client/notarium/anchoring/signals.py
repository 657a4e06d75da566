"""Signals that would end the process of a run at once: first the run is recorded, then the signal does what it does.

Only where the program left such a signal to the system: a handler of its own, and what it ignores, stay as they are.
The signal becomes an exception in the main thread, as Ctrl-C does, so the `with` block is left and its end is recorded.
Then the process ends by the same signal. Several runs may be open, and the last one to end does that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Final

ENDING: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGXCPU)
"""What schedulers, service managers and terminals send. SIGUSR1 and SIGUSR2 have too many other uses."""
HASHING_S: Final = 10.0
"""How long an ended run may hash what it wrote: a scheduler gives 30 seconds and more."""
_SAME_S: Final = 1.0
"""Within this time a second signal is the same order once more: from the launcher, and from the scheduler."""
_PATIENCE: Final = 3
"""A program that goes on after so many signals has caught the exception each time; then it ends at once."""


class EndedBySignal(SystemExit):
    """The process is to end by a signal. Like SystemExit, so that no `except Exception` takes it for an error."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


class EndingSignals:
    """The handlers of this process, while any run is open in it."""

    def __init__(self) -> None:
        self._forking = threading.local()
        self._forget()
        # A forked child, as of a pool that is terminated, ends by a signal as it always did. Python forgets what comes
        # to it before it is ready, so these signals wait in the system until then.
        os.register_at_fork(
            before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._after_fork_in_child
        )

    def _before_fork(self) -> None:
        self._forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._ours)

    def _after_fork(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._forking.mask)

    def _after_fork_in_child(self) -> None:
        self._give_back()
        self._forget()
        self._after_fork()

    def _give_back(self) -> None:
        for number in self._ours:
            # Whoever has set another one meanwhile keeps it.
            if signal.getsignal(number) == self._handle:
                signal.signal(number, signal.SIG_DFL)

    def _forget(self) -> None:
        self._runs = 0
        self._quiet = 0
        self._count = 0
        self._last = 0.0
        self._ours: list[signal.Signals] = []
        self.number: int | None = None
        """The signal that ends the process, once it has come."""

    @property
    def names(self) -> list[str]:
        """The name of that signal, nothing before it has come."""
        return [] if self.number is None else [signal.Signals(self.number).name]

    def enter(self) -> bool:
        """A run has begun. False in any thread but the main one: a run there has no handlers, and does not `leave`."""
        if threading.current_thread() is not threading.main_thread():
            return False
        if self._runs == 0:
            self._ours = [each for each in ENDING if signal.getsignal(each) == signal.SIG_DFL]
            for number in self._ours:
                signal.signal(number, self._handle)
        self._runs += 1
        return True

    def leave(self) -> None:
        """A run has ended and is recorded. Where a signal has come, the last run to leave ends the process by it."""
        self._runs -= 1
        if self._runs > 0 or threading.current_thread() is not threading.main_thread():
            return
        self._give_back()
        self._ours = []
        if self.number is not None:
            for stream in (sys.stdout, sys.stderr):
                # Without a terminal there may be none, or a closed one.
                with contextlib.suppress(OSError, ValueError, AttributeError):
                    stream.flush()
            _end_by(self.number)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """While the end of a run is signed and sent, a signal waits."""
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1

    @contextlib.contextmanager
    def hashing(self) -> Iterator[None]:
        """While the outputs are hashed: after a signal this is cut short by EndedBySignal."""
        timer = threading.Timer(HASHING_S, self._cut_short) if self.number is not None else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()

    def _cut_short(self) -> None:
        # Sent to the main thread, because only a call of that one is interrupted by it.
        if self.number is not None:
            signal.pthread_kill(threading.main_thread().ident or 0, self.number)

    def _handle(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if self.number is not None and now - self._last < _SAME_S:
            return
        self.number, self._last, self._count = number, now, self._count + 1
        if self._quiet:
            return
        if self._count > _PATIENCE:
            _end_by(number)
        raise EndedBySignal(number)


def _end_by(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


ENDING_SIGNALS: Final = EndingSignals()
"""Of this process."""
