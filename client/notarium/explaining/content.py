"""What differs in the content of a file: lines of text, rows and columns of a table, shapes of arrays.

Everything is parsed within bounds and nothing is executed: files may come from a stranger.
"""

from __future__ import annotations

import ast
import csv
import difflib
import json
import struct
from collections.abc import Iterator, Sequence
from typing import Final

from notarium.explaining.lines import Difference, Part

MAX_WORK: Final = 4_000_000
"""Lines of one text times lines of the other that are compared in any order; more than that, line by line."""
SHOWN: Final = 20
"""Differences of one file."""
_MAX_LINE: Final = 200
_HEADER_BYTES: Final = 1024 * 1024
_NPY: Final = b"\x93NUMPY"
_DAMAGED = (ValueError, SyntaxError, LookupError, TypeError, AttributeError, RecursionError, struct.error, csv.Error)
"""What parsing raises for content that is not what it claims to be."""


def content_differences(name: str, before: bytes, after: bytes) -> list[Difference]:
    """The first differences between two contents of one file; none where they are of no form known here."""
    one, other = shapes_of(name, before), shapes_of(name, after)
    found = [
        Difference(Part.FILE, f"{name} {what}", one.get(what), other.get(what), "shape")
        for what in sorted(one.keys() | other.keys())
        if one.get(what) != other.get(what)
    ]
    return [*found[:SHOWN], *_lines(name, before, after)][: 2 * SHOWN]


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
    if length > _HEADER_BYTES:
        raise ValueError("header too long")
    header = ast.literal_eval(data[start : start + length].decode("latin-1").strip())
    return f"{header['descr']} {tuple(header['shape'])}"


def _safetensors(data: bytes) -> dict[str, str]:
    """https://github.com/huggingface/safetensors: 8 bytes of length, then JSON."""
    (length,) = struct.unpack_from("<Q", data)
    if length > min(len(data), 16 * _HEADER_BYTES):
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
    """Where the texts differ: lines [start, end) of the one stand for [start, end) of the other."""
    first = 0
    while first < min(len(one), len(other)) and one[first] == other[first]:
        first += 1
    last = 0
    while last < min(len(one), len(other)) - first and one[-1 - last] == other[-1 - last]:
        last += 1
    end, new_end = len(one) - last, len(other) - last
    if (end - first) * (new_end - first) > MAX_WORK:
        yield first, end, first, new_end
        return
    matcher = difflib.SequenceMatcher(None, one[first:end], other[first:new_end], autojunk=False)
    for kind, *places in matcher.get_opcodes():
        if kind != "equal":
            start, stop, new_start, new_stop = (first + place for place in places)
            yield start, stop, new_start, new_stop


def _cut(line: str) -> str:
    return line if len(line) <= _MAX_LINE else f"{line[:_MAX_LINE]}…"
