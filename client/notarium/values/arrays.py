"""Arrays, tensors and data frames by what they hold: {dtype, shape, sha256}, never a `repr`, which is cut off.

The digest is that of the elements' bytes, in C order and little-endian, so equal numbers have equal digests on every
machine and in every library. Elements that are Python objects have no bytes; their digest is that of the JSON of their
list (RFC 8785), as `json_sha256`. A frame has that of each column.

Nothing is imported here: whoever hands over an array has loaded what made it. NumPy is used where it is loaded.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import rfc8785

from notarium.values.names import is_a, names_of

_FRAMES: Final = ("pandas.DataFrame", "pandas.core.frame.DataFrame", "polars.dataframe.frame.DataFrame")
_SERIES: Final = ("pandas.Series", "pandas.core.series.Series", "polars.series.series.Series")
_INDEXES: Final = ("pandas.Index", "pandas.core.indexes.base.Index")
_TENSOR: Final = "torch.Tensor"
_PLAIN_KINDS: Final = "biufcSUmMV"
"""NumPy's kinds of elements whose bytes are their value; V are those of other libraries, such as bfloat16."""
_EXTENDED_FLOATS: Final = ("float96", "float128", "complex192", "complex256")
"""Their bytes hold padding, which is whatever was in memory."""

ToJson = Callable[[Any], Any]


def is_array(value: Any) -> bool:
    """Whether `value` is an array, a tensor, a column or a data frame. Arrays without dimensions are scalars."""
    if isinstance(value, type):
        return False
    if not names_of(value).isdisjoint((*_FRAMES, *_SERIES, *_INDEXES, "numpy.ndarray", _TENSOR)):
        return True
    shape = getattr(value, "shape", None)
    return hasattr(value, "__array__") and hasattr(value, "dtype") and isinstance(shape, tuple) and shape != ()


def described(value: Any, to_json: ToJson) -> tuple[dict[str, Any], str]:
    """({dtype, shape, sha256}, "") of an array; without its digest, and with the reason, where it cannot be read.

    `to_json` makes JSON of elements that are Python objects.
    """
    try:
        return _described(value, to_json), ""
    except Exception as error:
        # Each library raises its own for arrays without data, on devices that are gone, or of sparse layout.
        known = {name: _text_of(value, name) for name in ("dtype", "shape") if hasattr(value, name)}
        return known, f"{type(error).__name__}: {error}"


def _described(value: Any, to_json: ToJson) -> dict[str, Any]:
    if is_a(value, *_FRAMES):
        return _frame(value, to_json)
    if is_a(value, *_SERIES, *_INDEXES):
        return _column(value, to_json)
    if is_a(value, _TENSOR):
        return _tensor(value)
    return _array(_as_numpy(value), to_json)


def _text_of(value: Any, name: str) -> Any:
    found = getattr(value, name)
    return [int(each) for each in found] if name == "shape" and isinstance(found, tuple) else str(found)


def _as_numpy(value: Any) -> Any:
    return value if is_a(value, "numpy.ndarray") else sys.modules["numpy"].asarray(value)


def _array(value: Any, to_json: ToJson) -> dict[str, Any]:
    """Of a NumPy array."""
    dtype, shape = value.dtype, [int(each) for each in value.shape]
    if is_a(value, "numpy.ma.MaskedArray", "numpy.ma.core.MaskedArray"):
        # What is masked is not part of the value.
        return {**_array(value.filled(), to_json), "mask": _array(sys.modules["numpy"].ma.getmaskarray(value), to_json)}
    if dtype.names:
        # Its rows may hold padding between the fields.
        return {
            "dtype": "fields",
            "shape": shape,
            "columns": {name: _array(value[name], to_json) for name in dtype.names},
        }
    if dtype.name in _EXTENDED_FLOATS:
        texts = [str(each) for each in value.ravel().tolist()]
        return {"dtype": dtype.name, "shape": shape, "json_sha256": json_digest(texts)}
    if dtype.kind in _PLAIN_KINDS:
        plain = value.astype(dtype.newbyteorder("<"), copy=False)
        return {"dtype": dtype.name, "shape": shape, "sha256": _digest_of_rows(plain)}
    return {"dtype": dtype.name, "shape": shape, "json_sha256": json_digest(to_json(value.ravel().tolist()))}


def _digest_of_rows(array: Any) -> str:
    """Of the bytes in C order, without a copy where they lie so."""
    contiguous = sys.modules["numpy"].ascontiguousarray(array)
    # Views as bytes, because not every kind of element has a buffer; an array without elements has no view.
    return hashlib.sha256(contiguous.reshape(-1).view("u1").data if contiguous.size else b"").hexdigest()


def _tensor(value: Any) -> dict[str, Any]:
    """Of a tensor of PyTorch, also of kinds that NumPy does not know. Raises what PyTorch raises for sparse ones."""
    torch: Any = sys.modules["torch"]
    plain = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
    flat = plain.reshape(-1).view(torch.uint8).numpy()
    if sys.byteorder != "little":
        raise ValueError("tensors are read on little-endian machines only")
    return {
        "dtype": str(value.dtype).removeprefix("torch."),
        "shape": [int(each) for each in value.shape],
        "sha256": hashlib.sha256(flat.data if flat.size else b"").hexdigest(),
    }


def _frame(value: Any, to_json: ToJson) -> dict[str, Any]:
    columns = [{"name": to_json(name), **_column(column, to_json)} for name, column in _columns(value)]
    index = {"index": _column(value.index, to_json)} if hasattr(value, "index") else {}
    return {"dtype": "frame", "shape": [int(each) for each in value.shape], "columns": columns, **index}


def _columns(frame: Any) -> Sequence[tuple[Any, Any]]:
    if hasattr(frame, "items"):
        return list(frame.items())
    return [(each.name, each) for each in frame.get_columns()]


def _column(value: Any, to_json: ToJson) -> dict[str, Any]:
    """Of a column or an index: its bytes where they are its value, and otherwise the JSON of its list."""
    shape = [int(each) for each in value.shape]
    dtype = str(value.dtype)
    if _has_plain_bytes(value):
        return {**_array(value.to_numpy(), to_json), "dtype": dtype, "shape": shape}
    return {"dtype": dtype, "shape": shape, "json_sha256": json_digest(to_json(value.to_list()))}


def _has_plain_bytes(column: Any) -> bool:
    dtype = column.dtype
    if is_a(dtype, "numpy.dtype"):
        return dtype.kind in _PLAIN_KINDS
    # Polars: numbers with nulls among them would become floats.
    return hasattr(column, "null_count") and column.null_count() == 0 and (dtype.is_integer() or dtype.is_float())


def json_digest(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`."""
    return hashlib.sha256(rfc8785.dumps(value)).hexdigest()
