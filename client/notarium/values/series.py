"""Metrics: exact numbers with step and time, one after the other; many of one name in compressed columns.

A point is a decimal number that reads back as the same number, a whole step where there is one, and the time.

    {"name": "auc", "value": "0.93", "time": "2026-11-22T10:30:00.123Z", "step": 3}

A name with more than SHORT points has one object for all of them instead:

    {"name": "loss", "count": 1000000, "last": "0.0314", "values": COLUMN, "steps": COLUMN, "times": COLUMN}

A COLUMN is text, one line a point, compressed by zlib (RFC 1950), in base64. Values are decimals; steps and times (in
milliseconds since 1970) are each the difference from the one before, the first from 0. A point without a step has an
empty line. Points are compressed while they come, so that a long run keeps little of them in memory and ends at once.
"""

from __future__ import annotations

import base64
import binascii
import operator
import re
import threading
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from notarium.values.scalars import decimal_text
from notarium_ledger.encoding.json_file import iso_time

SHORT: Final = 100
"""Points of one name that stand in the record one by one."""
MAX_COLUMN_BYTES: Final = 512 * 1024 * 1024
"""Of a column, not compressed."""
_BLOCK: Final = 4096
"""Points that are compressed at once, in a few milliseconds. More than SHORT, so that those are kept as they are."""
_LEVEL: Final = 1
"""Of zlib. Random digits hardly become smaller by a higher one, which takes four times as long."""
_DECIMAL: Final = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?|-?(nan|inf|NaN|Infinity)", re.ASCII)
_WHOLE: Final = re.compile(r"-?\d{1,19}", re.ASCII)

Number = int | float | Decimal


@dataclass(frozen=True, slots=True)
class Point:
    """One measured number, as a record has it."""

    value: str
    step: int | None
    time_ms: int


class _Column:
    """Lines of text that are compressed as they come."""

    def __init__(self, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> None:
        self._zlib = zlib.compressobj(_LEVEL, strategy=strategy)
        self._done: list[bytes] = []

    def write(self, lines: Iterable[str]) -> None:
        self._done.append(self._zlib.compress(("\n".join(lines) + "\n").encode()))

    def text(self) -> str:
        """In base64. More can be written afterwards."""
        return base64.b64encode(b"".join([*self._done, self._zlib.copy().flush()])).decode()


class Series:
    """The points of one name; any thread may add some."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._fresh: list[tuple[Number, int | None, int]] = []
        self._count = 0
        self._last: tuple[Number, int, int] = (0, 0, 0)
        """Value, step and time before the fresh points."""
        # Digits hardly repeat, and the search for repetitions takes twice as long as all else.
        self._columns = (_Column(zlib.Z_HUFFMAN_ONLY), _Column(), _Column())

    def add(self, value: Number, step: int | None, time_ms: int) -> None:
        """One point."""
        # Without the lock, because to append is one step; who compresses takes from the front only.
        self._fresh.append((value, step, time_ms))
        if len(self._fresh) >= _BLOCK:
            with self._lock:
                self._compress()

    def to_json(self) -> list[dict[str, Any]]:
        """As `metrics` has it: an object for each point, or one for all."""
        with self._lock:
            if self._count + len(self._fresh) <= SHORT:
                return [_row(self.name, *each) for each in self._fresh]
            self._compress()
            values, steps, times = (each.text() for each in self._columns)
            return [
                {
                    "name": self.name,
                    "count": self._count,
                    "last": decimal_text(self._last[0]),
                    "values": values,
                    "steps": steps,
                    "times": times,
                }
            ]

    def _compress(self) -> None:
        fresh = self._fresh[:]
        if not fresh:
            return
        del self._fresh[: len(fresh)]
        values, steps, times = zip(*fresh, strict=True)
        step, time_ms = self._last[1:]
        step_lines: Iterable[str]
        if None in steps:
            step_lines, step = _with_missing(steps, step)
        else:
            step_lines, step = _differences(steps, step), steps[-1]
        for column, lines in zip(
            self._columns, (_texts(values), step_lines, _differences(times, time_ms)), strict=True
        ):
            column.write(lines)
        self._last = (values[-1], step, times[-1])
        self._count += len(fresh)


def points(metrics: Sequence[Mapping[str, Any]]) -> dict[str, list[Point]]:
    """The points of a record's `metrics`, by name, in order. Raises ValueError for what no record says."""
    found: dict[str, list[Point]] = {}
    try:
        for each in metrics:
            read = _columns(each) if "count" in each else [_point(each)]
            found.setdefault(str(each["name"]), []).extend(read)
    except (LookupError, TypeError, AttributeError, OverflowError, binascii.Error, zlib.error) as error:
        raise ValueError(f"not the metrics of a record: {type(error).__name__}: {error}") from error
    return found


def _row(name: str, value: Number, step: int | None, time_ms: int) -> dict[str, Any]:
    row = {"name": name, "value": decimal_text(value), "time": iso_time(time_ms)}
    return row if step is None else {**row, "step": step}


def _texts(values: Sequence[Number]) -> Iterable[str]:
    # `repr` alone where it will do: it is half the work of a point.
    return map(repr if set(map(type, values)) == {float} else decimal_text, values)


def _differences(numbers: Sequence[int], before: int) -> Iterable[str]:
    differences = list(map(operator.sub, numbers, (before, *numbers)))
    # Of most steps and times there are few different ones.
    text = {each: str(each) for each in set(differences)}
    return map(text.__getitem__, differences)


def _with_missing(steps: Sequence[int | None], before: int) -> tuple[list[str], int]:
    lines = []
    for step in steps:
        lines.append("" if step is None else str(step - before))
        before = before if step is None else step
    return lines, before


def _point(row: Mapping[str, Any]) -> Point:
    time = datetime.fromisoformat(row["time"])
    if time.tzinfo is None:
        raise ValueError(f"the time {row['time']!r} has no zone")
    step = row.get("step")
    if step is not None and type(step) is not int:
        raise ValueError(f"the step {step!r} is not a whole number")
    return Point(_decimal(row["value"]), step, round(time.timestamp() * 1000))


def _columns(said: Mapping[str, Any]) -> list[Point]:
    values, steps, times = (_lines(said, name) for name in ("values", "steps", "times"))
    if said["last"] != values[-1]:
        raise ValueError(f"the column of {said['name']!r} ends with another value than its last one")
    step, time_ms, read = 0, 0, []
    for value, step_line, time_line in zip(values, steps, times, strict=True):
        step += _whole(step_line) if step_line else 0
        time_ms += _whole(time_line)
        read.append(Point(_decimal(value), step if step_line else None, time_ms))
    return read


def _lines(said: Mapping[str, Any], name: str) -> list[str]:
    reader = zlib.decompressobj()
    text = reader.decompress(base64.b64decode(said[name], validate=True), MAX_COLUMN_BYTES)
    if not reader.eof or reader.unused_data:
        raise ValueError(f"the column {name} is cut off, has something after its end, or is too large")
    if text.count(b"\n") != said["count"]:
        # Before they are split: a few bytes may stand for millions of empty lines.
        raise ValueError(f"the column {name} has another number of lines than its count")
    lines = text.decode("ascii").split("\n")
    if lines.pop() != "":
        raise ValueError(f"the last line of the column {name} has no end")
    return lines


def _decimal(text: str) -> str:
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a decimal number")
    return text


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a whole number")
    return int(text)
