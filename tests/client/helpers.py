"""Small things that the client's tests share."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def present(value: T | None) -> T:
    """`value`, which must be there."""
    assert value is not None
    return value
