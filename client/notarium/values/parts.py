"""What a value consists of: the fields of a configuration, of whichever library, or the items of a list.

No library is imported for this: a class is known by its name, and a library that made a value is loaded already.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from notarium.values.names import class_name, is_a, names_of


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of one value, in order."""

    items: tuple[tuple[Any, Any], ...]
    """(key or position, value)"""
    type: str = ""
    """What JSON does not show: tuple, set, the name of a class."""
    is_list: bool = False


def parts(value: Any) -> Parts | None:
    """The parts of `value`; None where it has none that are known.

    Raises what the value's own methods raise.
    """
    if isinstance(value, type):
        return None
    if is_a(value, *_OMEGACONF):
        return parts(_resolved(value))
    if isinstance(value, Mapping):
        return Parts(tuple(value.items()), "" if type(value) is dict else _type_of_mapping(value))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return Parts(tuple(zip(value._fields, value, strict=False)), class_name(type(value)))
    if isinstance(value, set | frozenset):
        # The order of a set is another one in each process.
        return Parts(_numbered(_in_order(value)), class_name(type(value)), is_list=True)
    if isinstance(value, Sequence) and not isinstance(value, memoryview):
        return Parts(_numbered(value), "" if type(value) is list else class_name(type(value)), is_list=True)
    if isinstance(value, functools.partial):
        inside = {"function": value.func, "arguments": value.args, "keywords": value.keywords}
        return Parts(tuple(inside.items()), "functools.partial")
    fields = _fields(value)
    return None if fields is None else Parts(tuple(fields.items()), class_name(type(value)))


def _fields(value: Any) -> Mapping[str, Any] | None:
    """Of an object that holds a configuration."""
    if dataclasses.is_dataclass(value):
        return {each.name: getattr(value, each.name) for each in dataclasses.fields(value) if hasattr(value, each.name)}
    attributes = getattr(type(value), "__attrs_attrs__", None)
    if isinstance(attributes, tuple):
        return {each.name: getattr(value, each.name) for each in attributes if hasattr(value, each.name)}
    known = names_of(value) & _READERS.keys()
    return _READERS[known.pop()](value) if known else None


def _of_pydantic(value: Any) -> Mapping[str, Any]:
    declared = getattr(type(value), "model_fields", None) or getattr(type(value), "__fields__", {})
    extra = getattr(value, "__pydantic_extra__", None) or {}
    return {name: getattr(value, name) for name in declared} | dict(extra)


def _of_estimator(value: Any) -> Mapping[str, Any]:
    parameters: Mapping[str, Any] = value.get_params(deep=False)
    return parameters


def _as_dict(value: Any) -> Mapping[str, Any]:
    said: Mapping[str, Any] = value.to_dict()
    return said


_READERS: Final[Mapping[str, Callable[[Any], Mapping[str, Any]]]] = {
    "argparse.Namespace": vars,
    "types.SimpleNamespace": vars,
    "pydantic.main.BaseModel": _of_pydantic,
    "pydantic.v1.main.BaseModel": _of_pydantic,
    "sklearn.base.BaseEstimator": _of_estimator,
    "ml_collections.config_dict.config_dict.ConfigDict": _as_dict,
    "transformers.configuration_utils.PretrainedConfig": _as_dict,
    "transformers.configuration_utils.PreTrainedConfig": _as_dict,
}
_OMEGACONF: Final = ("omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig")


def _resolved(value: Any) -> Any:
    """A configuration of OmegaConf with its references resolved; as written where one of them leads nowhere."""
    library: Any = sys.modules["omegaconf"]
    try:
        return library.OmegaConf.to_container(value, resolve=True, throw_on_missing=False)
    except library.errors.OmegaConfBaseException:
        return library.OmegaConf.to_container(value, resolve=False, throw_on_missing=False)


def _type_of_mapping(value: Mapping[Any, Any]) -> str:
    name = class_name(type(value))
    return "" if name in ("collections.OrderedDict", "collections.defaultdict", "mappingproxy") else name


def _numbered(items: Iterable[Any]) -> tuple[tuple[int, Any], ...]:
    return tuple(enumerate(items))


def _in_order(values: Iterable[Any]) -> list[Any]:
    found = list(values)
    if len({type(each) for each in found}) == 1 and isinstance(found[0], int | float | str | bytes):
        return sorted(found)
    return sorted(found, key=lambda each: (class_name(type(each)), repr(each)))
