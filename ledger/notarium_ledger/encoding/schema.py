"""Small checkers for decoded canonical values, composed into the schema of every body kind.

A checker accepts a value, or raises InvalidEntry with the path of the invalid field. All rules are explicit: validity
never depends on a locale, a Unicode database or a library's default.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from notarium_ledger.encoding.canonical import Value
from notarium_ledger.errors import InvalidEntry, join_path

Checker = Callable[[Value], None]

_FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: controls of a terminal.
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # Reorder the text around them, so it reads as other text.
    "\u2028\u2029]"  # Separators of lines and paragraphs.
)
MAX_KNOWN_CHARS = 512
"""Of the list of known fields in an error."""


def text(max_chars: int, pattern: str | None = None) -> Checker:
    """A string of 1 to `max_chars` code points that matches `pattern` as a whole, or has none of `_FORBIDDEN`."""
    compiled = re.compile(pattern) if pattern else None

    def check(value: Value) -> None:
        if type(value) is not str:
            raise InvalidEntry("not a string")
        if not 1 <= len(value) <= max_chars:
            raise InvalidEntry(f"{len(value)} characters, 1 to {max_chars} allowed", limit=max_chars)
        if compiled is not None:
            if not compiled.fullmatch(value):
                raise InvalidEntry(f"does not match {pattern}")
        elif found := _FORBIDDEN.search(value):
            raise InvalidEntry(
                f"contains U+{ord(found[0]):04X}; remove it: no control character, no mark of text direction and no "
                "line separator is allowed"
            )

    return check


def blob(min_bytes: int, max_bytes: int | None = None) -> Checker:
    """`min_bytes` to `max_bytes` bytes; without `max_bytes`, exactly `min_bytes`."""
    most = min_bytes if max_bytes is None else max_bytes

    def check(value: Value) -> None:
        if type(value) is not bytes:
            raise InvalidEntry("not bytes")
        if not min_bytes <= len(value) <= most:
            allowed = min_bytes if min_bytes == most else f"{min_bytes} to {most}"
            raise InvalidEntry(f"{len(value)} bytes, {allowed} allowed", limit=most)

    return check


def integer(minimum: int, maximum: int, of: str = "") -> Checker:
    """An integer in a closed range; never a bool. `of`: what has these limits, if the field does not show it."""
    limits = f"from {minimum} to {maximum}" + (f", the limits of {of}" if of else "")

    def check(value: Value) -> None:
        if type(value) is not int:
            raise InvalidEntry("not an integer")
        if not minimum <= value <= maximum:
            raise InvalidEntry(f"{value} is not {limits}", limit=maximum)

    return check


def boolean(value: Value) -> None:
    """true or false."""
    if type(value) is not bool:
        raise InvalidEntry("not a boolean")


def one_of(*choices: str | int) -> Checker:
    """One of these strings or integers."""
    allowed = frozenset(choices)
    kinds = {type(choice) for choice in choices}

    def check(value: Value) -> None:
        if type(value) not in kinds or value not in allowed:
            raise InvalidEntry(f"not one of {', '.join(map(str, choices))}")

    return check


def list_of(item: Checker, most: int, least: int = 1) -> Checker:
    """A list of `least` to `most` items."""

    def check(value: Value) -> None:
        if type(value) is not list:
            raise InvalidEntry("not a list")
        if not least <= len(value) <= most:
            raise InvalidEntry(f"{len(value)} items, {least} to {most} allowed", limit=most)
        for number, each in enumerate(value):
            try:
                item(each)
            except InvalidEntry as error:
                raise InvalidEntry(error.reason, join_path(f"[{number}]", error.field), limit=error.limit) from None

    return check


def record(required: Mapping[str, Checker], optional: Mapping[str, Checker] | None = None) -> Checker:
    """A map with exactly the named fields, in ascending order of their names."""
    fields = {**required, **(optional or {})}
    needed = frozenset(required)
    unknown = f"unknown field; known: {_bounded(', '.join(sorted(fields)), MAX_KNOWN_CHARS)}"

    def check(value: Value) -> None:
        if type(value) is not dict:
            raise InvalidEntry("not a map")
        last = ""
        for name, item in value.items():
            checker = fields.get(name)
            if checker is None:
                raise InvalidEntry(unknown, _short(name))
            # Code point order is UTF-8 byte order. A repeated name is not the shortest form, so it never arrives here.
            if name < last:
                raise InvalidEntry("map keys are not in ascending order", name)
            last = name
            try:
                checker(item)
            except InvalidEntry as error:
                raise InvalidEntry(error.reason, join_path(name, error.field), limit=error.limit) from None
        if not needed <= value.keys():
            raise InvalidEntry("is missing", min(needed - value.keys()))

    return check


def variant(tag: str, kinds: Mapping[str, Checker]) -> Checker:
    """A map whose field `tag` says which of several records it is."""

    def check(value: Value) -> None:
        if type(value) is not dict:
            raise InvalidEntry("not a map")
        kind = value.get(tag)
        checker = kinds.get(kind) if type(kind) is str else None
        if checker is None:
            raise InvalidEntry(f"not one of {', '.join(sorted(kinds))}", tag)
        checker(value)

    return check


def _short(name: object) -> str:
    return _bounded(name if isinstance(name, str) else "a key that is not a string", 64)


def _bounded(words: str, limit: int) -> str:
    return words if len(words) <= limit else words[:limit] + "…"
