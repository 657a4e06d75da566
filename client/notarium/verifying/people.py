"""Times, spans and ids as people read them; `--json` has them whole."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

SHORT_ID = 16
"""Digits of an id that are shown, as `notarium log` prints them."""

_ID = re.compile(rf"\b((?:entry|key|hash) [0-9a-f]{{{SHORT_ID}}})[0-9a-f]{{{64 - SHORT_ID}}}\b")
"""As this room writes them: the word for what it is, then its 64 digits."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1000))


def for_the_eye(text: str) -> str:
    """`text` with the ids in it shortened: `--json` has them whole. The name of a file stays what it is."""
    return _ID.sub(r"\1…", text)


def time_text(time_ms: int) -> str:
    """2026-11-22 10:30:00 UTC"""
    try:
        return (_EPOCH + timedelta(milliseconds=time_ms)).strftime("%Y-%m-%d %H:%M:%S UTC")
    except OverflowError:
        return f"{time_ms} ms after 1970"


def span_text(span_ms: int) -> str:
    """A length of time in its two largest units: 3 days 4 hours."""
    left, parts = abs(span_ms), list[str]()
    for name, length in _UNITS:
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count} {name}" if count == 1 else f"{count} {name}s")
        elif parts:
            break
    return " ".join(parts[:2]) or f"{left} ms"


def count_text(count: int, one: str, many: str = "") -> str:
    """1 file, 1,200 files."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
