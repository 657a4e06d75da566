"""Single values as JSON keeps them exactly, with a type where JSON does not show it.

RFC 8785 writes 1.0 as 1, and readers of JSON round integers beyond 2^53 and refuse NaN. So such values are text or
have a type beside them; a value whose JSON says everything has the type "".
"""

from __future__ import annotations

import datetime
import hashlib
import math
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final

from notarium.values.names import class_name, is_a

_SAFE_INTEGER: Final = 2**53 - 1
_MAX_BYTES_SHOWN: Final = 64

_BY_TEXT: Final = ("numpy.dtype", "torch.dtype", "torch.device", "torch.Size", "re.Pattern")
"""Classes of libraries whose `str` says all, without an address."""
_MISSING: Final = (
    "pandas.api.typing.NAType",
    "pandas.api.typing.NaTType",
    "pandas._libs.missing.NAType",
    "pandas._libs.tslibs.nattype.NaTType",
)
_HIDDEN: Final = ("pydantic.types.SecretStr", "pydantic.types.SecretBytes")


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value."""

    value: Any
    """null, a boolean, number or text; of long bytes {size, sha256}."""
    type: str = ""
    """What JSON does not show: float, integer, decimal, path, the name of an enumeration's member ..."""
    is_secret: bool = False
    """Whether its own class says that nobody shall see it."""


def scalar(value: Any) -> Scalar | None:
    """`value` as one JSON value; None where it has parts, is recorded by its name only, or is of an unknown type."""
    if isinstance(value, Enum):
        inner = scalar(value.value)
        shown = value.name if inner is None else inner.value
        return Scalar(shown, f"{class_name(type(value))}.{value.name}")
    if value is None or isinstance(value, bool):
        return Scalar(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int):
        return Scalar(int(value)) if abs(value) <= _SAFE_INTEGER else Scalar(_digits(value), "integer")
    if isinstance(value, float):
        return _float(value)
    # One of them is a kind of datetime.
    if is_a(value, *_MISSING):
        return Scalar(None, "missing")
    return _of_standard_library(value) or _of_other_library(value)


def _text(value: str) -> Scalar:
    try:
        value.encode()
    except UnicodeEncodeError:
        # Lone surrogates, as file names have them that are not UTF-8.
        return Scalar(value.encode("utf-8", "backslashreplace").decode(), "escaped text")
    return Scalar(str(value))


def _float(value: float) -> Scalar:
    if not math.isfinite(value):
        return Scalar(repr(float(value)), "float")
    if not value.is_integer():
        return Scalar(float(value))
    # RFC 8785 writes large whole floats as integers, which are then beyond what readers keep exactly; and -0.0 as 0.
    is_kept = abs(value) <= _SAFE_INTEGER and (value or math.copysign(1, value) > 0)
    return Scalar(float(value) if is_kept or abs(value) >= 1e21 else repr(float(value)), "float")


def _of_standard_library(value: Any) -> Scalar | None:
    if isinstance(value, bytes | bytearray):
        return Scalar(bytes(value).hex() if len(value) <= _MAX_BYTES_SHOWN else bytes_digest(value), "bytes")
    if isinstance(value, PurePath):
        return Scalar(_text(str(value)).value, "path")
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return Scalar(value.isoformat(), type(value).__name__)
    if isinstance(value, Decimal):
        return Scalar(str(value), "decimal")
    # By name, because nearly no one needs those modules and each program would load them.
    if isinstance(value, complex | datetime.timedelta | range | slice) or is_a(
        value, "fractions.Fraction", "uuid.UUID"
    ):
        return Scalar(str(value), type(value).__name__)
    return None


def _of_other_library(value: Any) -> Scalar | None:
    if is_a(value, *_HIDDEN):
        hidden = value.get_secret_value()
        return Scalar(hidden if isinstance(hidden, str) else hidden.hex(), "secret", is_secret=True)
    if is_a(value, *_BY_TEXT):
        return Scalar(str(value), class_name(type(value)).removesuffix(".Pattern"))
    plain = _plain(value)
    if plain is None:
        return None
    # Some have no equal in Python: an extended float, a time in nanoseconds, a row of a structured array.
    dtype = getattr(value, "dtype", "")
    is_its_own = type(plain) is type(value) or getattr(dtype, "kind", "") in ("m", "M", "V")
    inner = None if is_its_own else scalar(plain)
    return Scalar(str(value), str(dtype)) if inner is None else Scalar(inner.value, str(dtype) or inner.type)


def bytes_digest(data: bytes | bytearray | memoryview) -> dict[str, Any]:
    """{size, sha256}"""
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def number(value: Any) -> int | float | Decimal:
    """A metric's number, exactly. Raises ValueError for what is not one."""
    # The exact class first: this is called for each point of a series.
    if type(value) is float:
        return value
    if isinstance(value, bool):
        raise ValueError(f"not a number: the boolean {value}")
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    plain = _plain(value)
    if isinstance(plain, int):
        return number(plain)
    try:
        return float(value if plain is None else plain)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"not a number: {_described(value)}") from error


def decimal_text(value: int | float | Decimal) -> str:
    """A number as the decimal string that reads back as the same number."""
    return repr(value) if isinstance(value, float) else _digits(value) if isinstance(value, int) else str(value)


def _digits(value: int) -> str:
    """As `str`, which refuses more than 4,300 digits."""
    try:
        return str(int(value))
    except ValueError:
        return hex(value)


def _described(value: Any) -> str:
    """What `value` is, for an error message."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):
        return f"an array of shape {tuple(shape)}"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _plain(value: Any) -> Any:
    """The Python value in a NumPy scalar or a tensor without dimensions, without importing either; None for others."""
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "shape", None) == () else None
