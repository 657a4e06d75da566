"""Notices about receipts and records that a tool has changed without changing what they say.

Git converts line ends, editors and hooks add or take a final newline, formatters change white space. Both files are
compared by what they say, so they verify all the same; whoever sees the notice can stop the tool.
"""

from __future__ import annotations

import os
from pathlib import Path

from notarium.files import open_regular
from notarium.naming import RECORD_SUFFIX

_HEAD_BYTES = 64 * 1024
_TAIL_BYTES = 2
_BEGIN = {True: b'{\n "', False: b'{\n"'}
"""How a record begins, and how a receipt does."""
_REMEDY = "nothing that it says has changed; the .gitattributes that 'notarium init' writes keeps Git from doing so"


def form_notices(place: Path) -> tuple[str, ...]:
    """What a tool did to the file at `place`, in at most one sentence. Raises OSError.

    Only its beginning and its end are read: a tool changes all lines or none.
    """
    descriptor = open_regular(place)
    try:
        head = os.pread(descriptor, _HEAD_BYTES, 0)
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
    finally:
        os.close(descriptor)
    changed = _changed(head, tail, place.name.endswith(RECORD_SUFFIX))
    return (f"{place}: a tool changed its {changed}; {_REMEDY}",) if changed else ()


def _changed(head: bytes, tail: bytes, is_record: bool) -> str:
    if b"\r" in head:
        return "line ends"
    if tail != b"}\n":
        return "final newline"
    return "" if head.startswith(_BEGIN[is_record]) else "white space"
