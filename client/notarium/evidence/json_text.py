"""JSON of records: one canonical form for digests and signatures, one readable form for files."""

from __future__ import annotations

import json
from typing import Any

import rfc8785

_EXACT = 2**53 - 1
"""The largest integer that RFC 8785 takes, because JavaScript has no larger one that it counts exactly."""
_PLAIN = frozenset({str, bool, type(None)})


def canonical_json(value: Any) -> bytes:
    """The form of RFC 8785: equal values have equal bytes. Raises ValueError for what it cannot represent."""
    if _is_plain(value):
        # The same bytes in a fraction of the time: the list of a large folder is most of its record.
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return rfc8785.dumps(value)


def _is_plain(value: Any) -> bool:
    """Whether Python writes the value as RFC 8785 does: no fractions, which JavaScript writes in its own way, and only
    names in ASCII, whose order is the same in code points as in JavaScript's units.
    """
    kind = type(value)
    if kind in _PLAIN:
        return True
    if kind is int:
        return bool(abs(value) <= _EXACT)
    if kind is dict:
        return all(type(name) is str and name.isascii() and _is_plain(each) for name, each in value.items())
    return kind in (list, tuple) and all(map(_is_plain, value))


def readable_json(value: Any) -> bytes:
    """One field a line, UTF-8, a line feed at the end."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"
