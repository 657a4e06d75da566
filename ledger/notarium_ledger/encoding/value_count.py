"""Counts the values in msgpack bytes before a decoder builds them.

Foreign bytes can be far larger in memory than on the wire. An empty list is one byte, and 64 bytes once built. A list
head of five bytes makes a decoder reserve room for as many items as the head promises, and nested heads multiply that a
thousand times. Therefore a caller that decodes foreign bytes bounds the number of values.
"""

from __future__ import annotations

from typing import Final

from notarium_ledger.errors import NotCanonical

_LENGTHS: Final = {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)} | {
    0xD9: (1, 0),
    0xDA: (2, 0),
    0xDB: (4, 0),
}
"""Head of bytes, extension or string -> (bytes of its length field, bytes of its type)."""

_COUNTS: Final = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}
"""Head of a list or map -> (bytes of its count field, values for each)."""


def _width(head: int) -> int:
    """Bytes of a scalar that begins with `head`; 0 where more than the head decides it."""
    if head < 0x80 or head >= 0xE0 or head in (0xC0, 0xC1, 0xC2, 0xC3):
        return 1
    if 0xA0 <= head < 0xC0:
        return 1 + (head & 0x1F)
    numbers = {0xCA: 5, 0xCB: 9, 0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9, 0xD0: 2, 0xD1: 3, 0xD2: 5, 0xD3: 9}
    extensions = {0xD4: 3, 0xD5: 4, 0xD6: 6, 0xD7: 10, 0xD8: 18}
    return numbers.get(head) or extensions.get(head, 0)


_WIDTHS: Final = bytes(map(_width, range(256)))


def check_value_count(data: bytes, max_values: int) -> None:
    """Raise NotCanonical unless the value that `data` begins with consists of at most `max_values` values.

    Counts the value itself, everything inside it, and the keys of maps. Does not check that the rest is msgpack: the
    decoder does.
    """
    end = len(data)
    most = min(max_values, end)  # Each value takes a byte at least.
    at = 0
    count = to_come = 1
    while to_come:
        if at >= end:
            raise NotCanonical("ends before its value does")
        head = data[at]
        to_come -= 1
        if width := _WIDTHS[head]:
            at += width
            continue
        if head in _LENGTHS:
            field, type_ = _LENGTHS[head]
            at += 1 + field + type_ + int.from_bytes(data[at + 1 : at + 1 + field], "big")
            continue
        if head < 0xA0:
            items = head & 0x0F if head >= 0x90 else 2 * (head & 0x0F)
            at += 1
        else:
            field, each = _COUNTS[head]
            items = each * int.from_bytes(data[at + 1 : at + 1 + field], "big")
            at += 1 + field
        count += items
        if count > most:
            if count > max_values:
                raise NotCanonical(f"{count} values or more, at most {max_values} allowed", limit=max_values)
            raise NotCanonical(f"{count} values or more, in {end} bytes")
        to_come += items
