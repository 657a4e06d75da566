"""What other processes of a run log: forked or spawned ones, and workers that got the run object by pickle.

Each call becomes one line of a file beside the run's start, and the process of the run repeats the calls at its end. So
what they log arrives. Where the file cannot be reached, as on another machine without a shared folder, the process that
logs is warned, and the record of the run says that nothing came.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from notarium.errors import ProjectError
from notarium.files import read_regular
from notarium.naming import artifact_path
from notarium.values.as_json import to_json

_FILES: Final = ("input", "config", "output", "by_product")
CALLS: Final = frozenset({*_FILES, "external", "param", "params", "metric", "metrics", "seed", "refs", "gap", "status"})
"""The methods of a run that another process may call."""
MAX_SAID_BYTES: Final = 512 * 1024 * 1024
_DECIMAL: Final = "notarium-decimal"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of another process."""

    method: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    time_ms: int
    pid: int


class Said:
    """The file of the calls of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def create(path: Path) -> None:
        """Make it, empty. Only the process of the run does: without it, the run is over. Raises OSError."""
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    def add(self, method: str, args: Sequence[Any], kwargs: Mapping[str, Any], time_ms: int) -> None:
        """Keep a call. Raises ProjectError where it cannot reach the process of the run."""
        line = {
            "call": method,
            "args": [_absolute(method, number, each) for number, each in enumerate(args)],
            "kwargs": {name: _absolute(method, name, each) for name, each in kwargs.items()},
            "time_ms": time_ms,
            "pid": os.getpid(),
        }
        data = json.dumps(line, default=_plain).encode(errors="surrogateescape") + b"\n"
        try:
            # One write to a file opened for appending: lines of several processes do not interleave.
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise ProjectError(
                f"{method}() of process {os.getpid()} is not recorded: the run has ended, or its folder "
                f"{self.path.parent} cannot be written here ({error.strerror})"
            ) from error

    def take(self) -> tuple[list[Call], list[str]]:
        """All calls in their order, and the gaps: what cannot be read. What comes later is refused."""
        taken = self.path.with_name(f"{self.path.name}.taken")
        try:
            os.replace(self.path, taken)
            data = read_regular(taken, MAX_SAID_BYTES)
            taken.unlink()
        except OSError as error:
            return [], [f"what other processes of the run logged cannot be read: {error.strerror}"]
        found = list(_lines(data[:MAX_SAID_BYTES]))
        calls = [each for each in found if each is not None]
        damaged = len(found) - len(calls)
        gaps = [f"{damaged} call(s) of other processes of the run are damaged, as of one that was killed"]
        if len(data) > MAX_SAID_BYTES:
            return calls, [f"other processes of the run logged more than {MAX_SAID_BYTES} bytes; the rest is left out"]
        return calls, gaps if damaged else []


def _lines(data: bytes) -> Iterator[Call | None]:
    for line in data.splitlines():
        try:
            said = json.loads(line, object_hook=_number)
            method, args, kwargs = said["call"], said["args"], said["kwargs"]
            if method not in CALLS or not isinstance(args, list) or not isinstance(kwargs, dict):
                raise ValueError(method)
            yield Call(method, args, kwargs, int(said["time_ms"]), int(said["pid"]))
        except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
            yield None


def _absolute(method: str, name: str | int, value: Any) -> Any:
    """A path as the process of the run finds it, whose working directory may be another one."""
    if (method in _FILES and name in (0, "path")) or (method == "external" and name == "copy" and value is not None):
        return str(artifact_path(value).absolute())
    is_target = method == "refs" and name in (1, "target") and isinstance(value, str | Path)
    return str(artifact_path(value).absolute()) if is_target and artifact_path(value).exists() else value


def _plain(value: Any) -> Any:
    """What JSON does not know, so that the process of the run records it as if it had been called itself."""
    if isinstance(value, Decimal):
        return {_DECIMAL: str(value)}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Path):
        return str(value)
    return to_json(value)


def _number(value: dict[str, Any]) -> Any:
    return Decimal(value[_DECIMAL]) if value.keys() == {_DECIMAL} else value
