"""Runs the command of `notarium run`: it gets every signal, is waited for, and is never left behind.

Without a terminal, as under a scheduler, the command has a process group of its own, and signals go to all of it. In
the foreground of a terminal it shares the group of `notarium`: the terminal itself sends Ctrl-C, Ctrl-\\ and Ctrl-Z to
both, and keyboard and job control are the command's as without `notarium`.

A guard, a shell that waits on a pipe, ends the command where `notarium` itself is killed and can do nothing more.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from notarium.errors import ProjectError

SIGNALLED: Final = 128
"""A shell adds the number of the signal that ended a command."""
_PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU)
"""Schedulers announce the end of a job by one of these, and end this program where nothing handles them."""
_FROM_TERMINAL: Final = (signal.SIGINT, signal.SIGQUIT)
_GUARD: Final = """
read -r line && exit
kill -s TERM -- "$1"
for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    kill -s 0 -- "$1" || exit
    sleep 1
done
kill -s KILL -- "$1"
"""
"""A line on the pipe is the ordinary end; its closing without one is the death of `notarium`."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the command ended."""

    code: int
    """128 + n where signal n ended it, as in a shell."""
    signals: tuple[str, ...]
    """Names of the signals that came meanwhile, in the order of their first coming."""


def call(command: Sequence[str], stdout: int | None = None) -> Ended:
    """Run a command that shares our streams; `stdout`: but for this one. Raises ProjectError where it cannot be run."""
    shares_terminal = _is_in_foreground()
    started: list[subprocess.Popen[bytes]] = []
    heard: dict[int, None] = {}

    def send(number: int) -> None:
        with suppress(ProcessLookupError):
            if shares_terminal:
                started[0].send_signal(number)
            else:
                os.killpg(started[0].pid, number)

    def pass_on(number: int, _: object) -> None:
        heard[number] = None
        if started:
            send(number)

    def note(number: int, _: object) -> None:
        heard[number] = None

    def stop(number: int, _: object) -> None:
        if started:
            send(number)
        os.kill(os.getpid(), signal.SIGSTOP)

    def go_on(number: int, _: object) -> None:
        if started:
            send(number)

    handlers: dict[int, Callable[[int, Any], None]] = dict.fromkeys(_PASSED_ON, pass_on)
    handlers |= dict.fromkeys(_FROM_TERMINAL, note if shares_terminal else pass_on)
    if not shares_terminal:
        handlers |= {signal.SIGTSTP: stop, signal.SIGCONT: go_on}
    # Handlers, and not SIG_IGN, because the command would inherit that. What is ignored, as under nohup, stays so.
    handled = [each for each in handlers if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.signal(each, handlers[each]) for each in handled}
    try:
        child = subprocess.Popen(command, stdout=stdout, process_group=None if shares_terminal else 0)
        started.append(child)
        for number in list(heard):
            send(number)
        code = _guarded(child, child.pid if shares_terminal else -child.pid)
    except FileNotFoundError as error:
        raise ProjectError(f"{command[0]}: command not found") from error
    except PermissionError as error:
        raise ProjectError(f"{command[0]}: is not executable") from error
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    return Ended(SIGNALLED - code if code < 0 else code, tuple(signal.Signals(each).name for each in heard))


def _guarded(child: subprocess.Popen[bytes], target: int) -> int:
    """Wait for `child`. `target`: what the guard ends, in the form of kill(2)."""
    try:
        guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", str(target)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # What is sent to our group must not end the guard before us.
            start_new_session=True,
        )
    except OSError:
        # A system without a shell: the command is run all the same, and only our violent death leaves it behind.
        return child.wait()
    code = child.wait()
    with suppress(BrokenPipeError):
        guard.communicate(b"\n")
    return code


def _is_in_foreground() -> bool:
    """Whether one of our streams is a terminal and we are in its foreground."""
    for stream in (0, 1, 2):
        # Not a terminal, or not ours, or closed.
        with suppress(OSError):
            if os.tcgetpgrp(stream) == os.getpgrp():
                return True
    return False
