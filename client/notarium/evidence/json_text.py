"""JSON of records: one canonical form for digests and signatures, one readable form for files."""

from __future__ import annotations

import json
from typing import Any

import rfc8785


def canonical_json(value: Any) -> bytes:
    """The form of RFC 8785: equal values have equal bytes. Raises ValueError for what it cannot represent."""
    return rfc8785.dumps(value)


def readable_json(value: Any) -> bytes:
    """One field a line, UTF-8, a line feed at the end."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"
