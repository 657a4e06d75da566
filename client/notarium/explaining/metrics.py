"""Metrics of a record: the numbers of each name in order, where two runs part, and a small line to see them."""

from __future__ import annotations

import base64
import binascii
import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from notarium.explaining.lines import Difference, Part

MAX_POINTS: Final = 2_000_000
"""Of one record. Of a metric that has more than are left of these, the last number counts alone."""
_LINE_BYTES: Final = 32
"""Of one point in a column, on average: a decimal number of 17 digits with its exponent has fewer."""
_WHOLE: Final = re.compile(r"-?[0-9]{1,19}")
WIDTH: Final = 32
"""Characters of a sparkline."""
_BLOCKS: Final = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Course:
    """The numbers of one metric, in order."""

    name: str
    values: tuple[str, ...]
    """Decimals as they were recorded."""
    steps: tuple[int | None, ...]

    @property
    def last(self) -> str:
        """The number that counts."""
        return self.values[-1]

    def sparkline(self) -> str:
        """The course of the numbers; "" where there is nothing to see. A space where there is no finite number."""
        numbers = [each if math.isfinite(each) else None for each in map(_float, self.values)]
        finite = [each for each in numbers if each is not None]
        if len(finite) < 2:
            return ""
        low, high = min(finite), max(finite)
        picked = [numbers[position * len(numbers) // WIDTH] for position in range(WIDTH)]
        shown = numbers if len(numbers) <= WIDTH else [*picked[:-1], numbers[-1]]
        return "".join(" " if each is None else _block(each, low, high) for each in shown)


def course_of(facts: Mapping[str, Any]) -> dict[str, Course]:
    """By name. A metric that cannot be read has no numbers and is left out: the record's own checks are elsewhere."""
    values: dict[str, list[str]] = {}
    steps: dict[str, list[int | None]] = {}
    rows, left = facts.get("metrics"), MAX_POINTS
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and isinstance(row.get("name"), str):
            for value, step in _points(row, left):
                left -= 1
                values.setdefault(row["name"], []).append(value)
                steps.setdefault(row["name"], []).append(step)
    return {name: Course(name, tuple(values[name]), tuple(steps[name])) for name in values}


def metric_differences(before: Mapping[str, Course], after: Mapping[str, Course]) -> list[Difference]:
    """By the last number, with where the series part."""
    found = []
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one is None or other is None:
            found.append(Difference(Part.METRIC, name, one.last if one else None, other.last if other else None))
        elif not _same(one.values, other.values):
            found.append(Difference(Part.METRIC, name, one.last, other.last, _note(one, other)))
    return found


def relative(one: str, other: str) -> Decimal | None:
    """How far two numbers are apart, as a part of the larger one; None where that says nothing."""
    first, second = _number(one), _number(other)
    if first is None or second is None or not (first.is_finite() and second.is_finite()):
        return None
    try:
        largest = max(abs(first), abs(second))
        return abs(first - second) / largest if largest else Decimal(0)
    except ArithmeticError:
        # Exponents that no measurement has.
        return None


def _note(one: Course, other: Course) -> str:
    """Where two series part, and how far they are apart in the end."""
    pairs = zip(one.values, other.values, strict=False)
    at = next((number for number, pair in enumerate(pairs) if not _same(pair[:1], pair[1:])), None)
    said = []
    if len(one.values) != len(other.values):
        said.append(f"{len(one.values)} and {len(other.values)} numbers")
    if at is not None and len(one.values) > 1:
        step = one.steps[at]
        said.append(f"apart since {f'step {step}' if step is not None else f'number {at + 1}'}")
    apart = relative(one.last, other.last)
    if apart:
        said.append(f"{apart * 100:.2g} % apart")
    return ", ".join(said)


def _points(row: Mapping[str, Any], most: int) -> Iterator[tuple[str, int | None]]:
    """One number, or the columns of many."""
    if "value" in row:
        step = row.get("step")
        yield str(row["value"]), step if type(step) is int else None
    elif "values" in row:
        values, differences = _column(row["values"], most), _column(row.get("steps"), most)
        if values is None or differences is None:
            yield str(row.get("last")), None
            return
        step = 0
        for number, value in enumerate(values):
            line = differences[number] if number < len(differences) else ""
            step += int(line) if _WHOLE.fullmatch(line) else 0
            yield value, step if line else None


def _column(text: Any, most: int) -> list[str] | None:
    """The lines of a compressed column; no lines where it cannot be read, None where it has more than `most`."""
    reader = zlib.decompressobj()
    try:
        data = reader.decompress(base64.b64decode(str(text), validate=True), max(1, most) * _LINE_BYTES)
    except (binascii.Error, zlib.error, ValueError):
        return []
    if reader.unconsumed_tail or data.count(b"\n") > most:
        return None
    return data.decode("ascii", "replace").splitlines() if reader.eof else []


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return None if number.is_snan() else number


def _float(text: str) -> float:
    """The number, or NaN for any other text."""
    number = _number(text)
    return math.nan if number is None else float(number)


def _same(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether the numbers are the same: 1.0 is 1, and no number is itself."""
    return one == other or (
        len(one) == len(other)
        and all(
            first == second or ((number := _number(first)) is not None and number == _number(second))
            for first, second in zip(one, other, strict=True)
        )
    )


def _block(value: float, low: float, high: float) -> str:
    # Half of each: the span of two finite numbers need not be finite.
    span = high / 2 - low / 2
    return _BLOCKS[min(len(_BLOCKS) - 1, int((value / 2 - low / 2) / span * len(_BLOCKS)))] if span else _BLOCKS[0]
