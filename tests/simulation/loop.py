"""An asyncio event loop on simulated time: what is idle takes no time, and what happens depends on the seed alone.

Every callback belongs to the life of a simulated process in whose context it was scheduled. A process that dies takes
its callbacks along; one that is stopped (as by SIGSTOP), or busy with a long computation, has them all when it goes on.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

Context = dict[str, Any]


class Crash(BaseException):
    """The process of the running callback dies here. No handler of the product catches it."""


class Life:
    """From the start of a process to its end."""

    __slots__ = ("alive", "name", "stopped_until_s")

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.stopped_until_s = 0.0
        """Until then none of its callbacks runs: it is stopped, or busy."""


WORLD = Life("world")
"""The owner of what belongs to no process: the network, the clients, the faults."""


class Handle:
    """As asyncio.TimerHandle."""

    __slots__ = ("_when_s", "args", "callback", "is_cancelled", "owner")

    def __init__(self, when_s: float, callback: Callable[..., object], args: tuple[Any, ...], owner: Life) -> None:
        self._when_s = when_s
        self.callback = callback
        self.args = args
        self.owner = owner
        self.is_cancelled = False

    def cancel(self) -> None:
        """It will not run."""
        self.is_cancelled = True
        self.callback, self.args = _nothing, ()

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self.is_cancelled

    def when(self) -> float:
        """Seconds on the loop's clock."""
        return self._when_s


def _nothing() -> None:
    pass


class SimulatedLoop(asyncio.AbstractEventLoop):
    """The part of an event loop that a node needs without sockets, threads and signals."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.owner = WORLD
        """Whose callback runs."""
        self.steps = 0
        """Callbacks run."""
        self.on_error: Callable[[Life, BaseException], None] = _raise
        """Told of an exception that left a callback, or that nobody asked a task for."""
        self._ready: deque[Handle] = deque()
        self._timers: list[tuple[float, int, Handle]] = []
        self._sequence = 0

    # ---- what asyncio asks of a loop -----------------------------------------------------------------------------

    def time(self) -> float:
        """Simulated seconds since the world began; for a busy process, when its present work ends."""
        stopped_s = self.owner.stopped_until_s
        return stopped_s if stopped_s > self.now_s else self.now_s

    def call_soon(self, callback: Callable[..., object], *args: Any, context: object = None) -> Handle:  # type: ignore[override]
        """In this instant, after all that was scheduled before."""
        handle = Handle(self.now_s, callback, args, self.owner)
        self._ready.append(handle)
        return handle

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any, context: object = None) -> Handle:  # type: ignore[override]
        """After `delay` seconds."""
        return self.schedule(self.owner, self.time() + delay, callback, *args)

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: object = None) -> Handle:  # type: ignore[override]
        """At `when`, or now if that is past."""
        return self.schedule(self.owner, when, callback, *args)

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: object = None) -> Any:  # type: ignore[override]
        """A task of the present owner."""
        return asyncio.Task(coro, loop=self, name=name)

    def get_debug(self) -> bool:
        """Never: debugging reads the real clock."""
        return False

    def is_running(self) -> bool:
        """Always, as far as a node can see."""
        return True

    def call_exception_handler(self, context: Context) -> None:
        """A task or future died with an exception that nobody took."""
        error = context.get("exception")
        if isinstance(error, Exception):
            self.on_error(self.owner, error)

    def work(self, seconds: float) -> None:
        """The present callback takes so long. What it sends leaves after that, and nothing else of its process runs."""
        self.owner.stopped_until_s = self.time() + seconds

    # ---- simulation ----------------------------------------------------------------------------------------------

    def schedule(self, owner: Life, when_s: float, callback: Callable[..., object], *args: Any) -> Handle:
        """`callback` as a part of the life of `owner`."""
        handle = Handle(when_s, callback, args, owner)
        self._sequence += 1
        heapq.heappush(self._timers, (when_s if when_s > self.now_s else self.now_s, self._sequence, handle))
        return handle

    def run(self, until_s: float, done: Callable[[], bool], max_steps: int) -> bool:
        """Let time pass until `until_s`, or until `done()`, which is asked after each callback. Whether it is done.

        Raises RuntimeError after `max_steps` callbacks: a storm, in which idle time never comes.
        """
        events._set_running_loop(self)
        ready, timers = self._ready, self._timers
        try:
            for _ in range(max_steps):
                if ready:
                    handle = ready.popleft()
                elif timers and timers[0][0] <= until_s:
                    self.now_s, _, handle = heapq.heappop(timers)
                else:
                    self.now_s = max(self.now_s, until_s)
                    return done()
                if self._step(handle) and done():
                    return True
            raise RuntimeError(f"{max_steps} steps without an end: a storm at {self.now_s:.3f} s")
        finally:
            events._set_running_loop(None)

    def _step(self, handle: Handle) -> bool:
        owner = handle.owner
        if handle.is_cancelled or not owner.alive:
            return False
        if owner.stopped_until_s > self.now_s:
            self._sequence += 1
            heapq.heappush(self._timers, (owner.stopped_until_s, self._sequence, handle))
            return False
        self.owner = owner
        self.steps += 1
        try:
            handle.callback(*handle.args)
        except Crash:
            pass
        except Exception as error:
            self.on_error(owner, error)
        finally:
            self.owner = WORLD
        return True


def _raise(owner: Life, error: BaseException) -> None:
    raise error
