"""Canonical values written as JSON, so that the vectors can be read by any language.

Bytes are {"$hex": "…"}; integers beyond 2^53 are {"$int": "…"}; everything else is itself.
"""

from __future__ import annotations

from typing import Any


def to_json(value: Any) -> Any:
    """A canonical value as JSON."""
    if isinstance(value, bytes):
        return {"$hex": value.hex()}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return {"$int": str(value)}
    if isinstance(value, list | tuple):
        return [to_json(each) for each in value]
    if isinstance(value, dict):
        return {name: to_json(each) for name, each in value.items()}
    return value


def from_json(value: Any) -> Any:
    """Inverse of to_json."""
    if isinstance(value, list):
        return [from_json(each) for each in value]
    if isinstance(value, dict):
        if value.keys() == {"$hex"}:
            return bytes.fromhex(value["$hex"])
        if value.keys() == {"$int"}:
            return int(value["$int"])
        return {name: from_json(each) for name, each in value.items()}
    return value
