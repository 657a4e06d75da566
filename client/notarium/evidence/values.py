"""What researchers hand over, as JSON keeps it: exactly, or as text where JSON cannot represent it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_SAFE_INTEGER = 2**53 - 1


def to_json(value: Any) -> Any:
    """`value` as RFC 8785 JSON represents it exactly; what JSON cannot represent becomes text.

    Integers and whole floats from 2^53 on, NaN and infinities become text, because JSON readers round or refuse them.
    """
    if value is None or isinstance(value, bool | str):
        return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value) if abs(value) <= _SAFE_INTEGER else str(int(value))
    if isinstance(value, float):
        # RFC 8785 writes large whole floats as integers, which are then beyond what readers keep exactly.
        whole = _SAFE_INTEGER < abs(value) < 1e21
        return float(value) if math.isfinite(value) and not whole else repr(float(value))
    if isinstance(value, Mapping):
        return {to_json(str(name)): to_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [to_json(item) for item in items]
    scalar = _numpy_scalar(value)
    return to_json(scalar) if scalar is not None else str(value)


def decimal_text(value: Any) -> str:
    """A metric as a decimal string that reads back as the same number. Raises ValueError for what is not a number."""
    if isinstance(value, bool):
        raise ValueError(f"not a number: the boolean {value}")
    if isinstance(value, int | Decimal):
        return str(value)
    if isinstance(value, float):
        return repr(float(value))
    scalar = _numpy_scalar(value)
    if isinstance(scalar, int):
        return decimal_text(scalar)
    try:
        return repr(float(scalar if scalar is not None else value))
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"not a number: {_described(value)}") from error


def _described(value: Any) -> str:
    """What `value` is, for an error message."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"an array of shape {tuple(shape)}"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _numpy_scalar(value: Any) -> bool | int | float | str | None:
    """The Python number in a NumPy or PyTorch scalar, without importing either."""
    item = getattr(value, "item", None)
    if callable(item) and getattr(value, "shape", None) == ():
        plain = item()
        return plain if isinstance(plain, bool | int | float | str) else None
    return None
