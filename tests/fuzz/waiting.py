"""Handlers are coroutines, and a fuzzer calls functions."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any


def at_once(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that has nothing to wait for."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    work.close()
    raise RuntimeError("the handler waits")
