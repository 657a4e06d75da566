"""A test that cannot fail shows nothing: each test here is run once more with its mistake planted, and must fail."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

import pytest

Mistake = Callable[[pytest.MonkeyPatch], None]

SIZES = (4, 5, 6, 7, 10)
"""n = 3f + 1 and its neighbours: where formulas for a quorum differ."""


def must_fail(mistake: Mistake, test: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """With `mistake` in the product, `test` fails, and fails as a test does."""
    with pytest.MonkeyPatch.context() as patch:
        mistake(patch)
        # An expectation that did not come true, or `pytest.raises` that saw nothing raised.
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            _run(test, *arguments, **named)


def _run(test: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    outcome = test(*arguments, **named)
    if inspect.iscoroutine(outcome):
        asyncio.run(outcome)
