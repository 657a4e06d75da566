"""What differs in the content of a file: lines of text, rows and columns of a table, shapes of arrays.

Everything is parsed within bounds and nothing is executed: files may come from a stranger.
"""

from __future__ import annotations

import csv
import json
import re
import struct
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from notarium.explaining.lines import Difference, Part

SHOWN: Final = 20
"""Differences of one file."""
_MAX_LINE: Final = 200
_HEADER_BYTES: Final = 16 * 1024 * 1024
_NPY: Final = b"\x93NUMPY"
_NPY_HEADER: Final = re.compile(
    r"\{'descr': (?:'([^']*)'|(\[.*\])), 'fortran_order': (?:True|False), 'shape': (\([\d, ]*\)), *\}\s*"
)
"""As NumPy writes it. Python's own parser would take any expression, and gigabytes for some."""
_DAMAGED = (ValueError, LookupError, TypeError, AttributeError, RecursionError, struct.error, csv.Error)
"""What parsing raises for content that is not what it claims to be."""


def content_differences(name: str, before: bytes, after: bytes) -> list[Difference]:
    """The first differences between two contents of one file; none where they are of no form known here."""
    one, other = shapes_of(name, before), shapes_of(name, after)
    found = [
        Difference(Part.FILE, f"{name} {_cut(what)}", _shape(one, what), _shape(other, what), "shape")
        for what in sorted(one.keys() | other.keys())
        if one.get(what) != other.get(what)
    ]
    return [*found[:SHOWN], *_lines(name, before, after)][: 2 * SHOWN]


def _shape(shapes: Mapping[str, str], what: str) -> str | None:
    return _cut(shapes[what]) if what in shapes else None


def shapes_of(name: str, data: bytes) -> dict[str, str]:
    """Rows and columns of a table, type and shape of each array; empty for any other content."""
    try:
        if data.startswith(_NPY):
            return {"array": _npy(data)}
        if name.endswith(".safetensors"):
            return _safetensors(data)
        if name.endswith((".csv", ".tsv")):
            return {"table": _table(data.decode(), "\t" if name.endswith(".tsv") else ",")}
    except _DAMAGED:
        # Not what its name or its first bytes say.
        return {}
    return {}


def _npy(data: bytes) -> str:
    """https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html"""
    is_short = data[6] == 1
    (length,), start = struct.unpack_from("<H" if is_short else "<L", data, 8), 10 if is_short else 12
    header = _NPY_HEADER.fullmatch(data[start : start + length].decode("latin-1"))
    if header is None:
        raise ValueError("header of another form")
    return f"{header[1] or header[2]} {header[3]}"


def _safetensors(data: bytes) -> dict[str, str]:
    """https://github.com/huggingface/safetensors: 8 bytes of length, then JSON."""
    (length,) = struct.unpack_from("<Q", data)
    if length > min(len(data), _HEADER_BYTES):
        raise ValueError("header too long")
    header = json.loads(data[8 : 8 + length])
    tensors = {name: each for name, each in header.items() if name != "__metadata__"}
    return {f"tensor {name}": f"{each['dtype']} {tuple(each['shape'])}" for name, each in tensors.items()}


def _table(text: str, separator: str) -> str:
    rows, columns = 0, 0
    for row in csv.reader(text.splitlines(), delimiter=separator):
        rows, columns = rows + 1, max(columns, len(row))
    return f"{rows} rows, {columns} columns"


def _lines(name: str, before: bytes, after: bytes) -> Iterator[Difference]:
    """The first lines that differ, with their numbers."""
    try:
        one, other = before.decode().splitlines(), after.decode().splitlines()
    except UnicodeDecodeError:
        return
    if b"\0" in before or b"\0" in after:
        return
    shown = 0
    for start, end, new_start, new_end in _blocks(one, other):
        for number in range(max(end - start, new_end - new_start)):
            old, new = start + number, new_start + number
            line = (old if old < end else new) + 1
            yield Difference(
                Part.FILE,
                f"{name} line {line}",
                _cut(one[old]) if old < end else None,
                _cut(other[new]) if new < new_end else None,
            )
            shown += 1
            if shown == SHOWN:
                return


def _blocks(one: Sequence[str], other: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Where the texts differ: lines [start, end) of the one stand for [start, end) of the other.

    Lines that occur once in each text hold it in place, in the longest order that both have ("patience"); around these,
    texts are compared from both ends. So the work grows with n log n, whatever the texts are.
    """
    start, new_start = 0, 0
    for place, new_place in (*_anchors(one, other), (len(one), len(other))):
        first, end, new_end = start, place, new_place
        while first < end and first - start < new_end - new_start and one[first] == other[new_start + first - start]:
            first += 1
        new_first = new_start + first - start
        while end > first and new_end > new_first and one[end - 1] == other[new_end - 1]:
            end, new_end = end - 1, new_end - 1
        if first < end or new_first < new_end:
            yield first, end, new_first, new_end
        start, new_start = place, new_place


def _anchors(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """(place, place in the other) of the lines that hold the texts in place, in order."""
    counts, new_counts = Counter(one), Counter(other)
    places = {line: place for place, line in enumerate(other) if new_counts[line] == 1}
    found = [(place, places[line]) for place, line in enumerate(one) if counts[line] == 1 and line in places]
    # Longest increasing subsequence: of each length, the one that ends first.
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for number, (_, place) in enumerate(found):
        length = bisect_left(ends, place)
        ends[length : length + 1], last[length : length + 1] = [place], [number]
        before.append(last[length - 1] if length else -1)
    number, longest = last[-1] if last else -1, list[tuple[int, int]]()
    while number >= 0:
        longest.append(found[number])
        number = before[number]
    return longest[::-1]


def _cut(line: str) -> str:
    return line if len(line) <= _MAX_LINE else f"{line[:_MAX_LINE]}…"
