"""A parameter, however nested, as single values by path: what JSON shows of each, and its type where JSON does not.

    {"model": Config(width=64, dropout=0.0), "betas": (0.9, 0.999)}
    values  {"model.width": 64, "model.dropout": 0.0, "betas": [0.9, 0.999]}
    types   {"model": "study.Config", "model.dropout": "float", "betas": "tuple"}

A list of single values of one kind stays a list; any other is flattened by position. What has no known parts is
recorded by the name of its class, and the record says that this is all.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any, Final

import rfc8785

from notarium.values.arrays import described, is_array, json_digest
from notarium.values.as_json import to_json
from notarium.values.names import class_name, is_named, qualified_name
from notarium.values.parts import Parts, parts
from notarium.values.paths import below
from notarium.values.scalars import Scalar, scalar
from notarium.values.secret_names import may_name_a_secret
from notarium.values.secrets import Secrets

MAX_VALUES: Final = 20_000
"""Of one parameter. One that has more is data, and a run must not wait until all of it is read."""
MAX_ITEMS: Final = 4096
"""Of a list that stays a list."""
MAX_DEPTH: Final = 64

_JSON_TYPES: Final = {bool: "boolean", int: "integer", float: "float", str: "text"}


@dataclass(slots=True)
class Flat:
    """One parameter."""

    values: dict[str, Any] = field(default_factory=dict)
    """By path."""
    types: dict[str, str] = field(default_factory=dict)
    """By path, only where JSON does not show it."""
    gaps: list[str] = field(default_factory=list)
    """What this does not vouch for."""


def flatten(name: str, value: Any, secrets: Secrets, *, is_secret: bool = False) -> Flat:
    """The parameter `name`. Secrets are left out, and `secrets` has the notices; `is_secret`: all of it is one."""
    walk, path = _Walk(secrets), _shown(name, secrets)
    if is_secret:
        plain = value if isinstance(value, str) else rfc8785.dumps(to_json(value)).decode()
        hidden = secrets.hidden(plain, f"parameter {path}", "whoever gave it says that it is one")
        return Flat({path: hidden}, {path: "secret"}, [])
    try:
        walk.visit(path, name, value, ())
    except _TooLarge:
        gap = f"parameter {path} has more than {MAX_VALUES} values and is not recorded: name the file of it as an input"
        return Flat({path: None}, {path: "too large"}, [gap])
    return walk.flat


class _TooLarge(Exception):
    """There are too many values for a parameter."""


class _Walk:
    """Through one parameter, depth first."""

    def __init__(self, secrets: Secrets) -> None:
        self.flat = Flat()
        self._secrets = secrets

    def visit(self, path: str, name: str, value: Any, above: tuple[int, ...]) -> None:
        """`name`: the key that leads here, or the one further up that names a secret; `above`: what this lies in."""
        try:
            self._visit(path, name, value, above)
        except _TooLarge:
            raise
        except Exception as error:
            # Properties and methods of foreign classes raise anything; the rest of the configuration is worth keeping.
            self._put(path, None, "unreadable")
            self._gap(path, f"could not be read: {type(error).__name__}: {error}")

    def _visit(self, path: str, name: str, value: Any, above: tuple[int, ...]) -> None:
        if (single := scalar(value)) is not None:
            self._put_scalar(path, name, single)
        elif is_array(value):
            unknown: dict[str, None] = {}
            content, reason = described(value, functools.partial(to_json, on_unknown=unknown.setdefault))
            self._put(path, content, class_name(type(value)))
            for each in unknown:
                self._gap(path, f"holds objects of the class {each}: only the class is recorded")
            if reason:
                self._gap(path, f"is recorded without its content: {reason}")
        elif is_named(value):
            self._put(path, qualified_name(value), "class" if isinstance(value, type) else "function")
        elif id(value) in above or len(above) >= MAX_DEPTH:
            self._put(path, None, "endless")
            self._gap(path, f"contains itself, or is nested more than {MAX_DEPTH} deep: it is not recorded further")
        elif (inside := parts(value)) is not None:
            self._descend(path, name, inside, (*above, id(value)))
        else:
            self._put(path, class_name(type(value)), "object")
            self._gap(path, f"is an object of the class {class_name(type(value))}: only the class is recorded")

    def _descend(self, path: str, name: str, inside: Parts, above: tuple[int, ...]) -> None:
        if inside.is_list and self._put_list(path, name, inside):
            return
        if inside.type:
            self.flat.types[path] = inside.type
        if not inside.items:
            self._put(path, {}, inside.type)
        for key, item in inside.items:
            if inside.is_list:
                self.visit(f"{path}[{key}]", name, item, above)
            else:
                # All that stands under "credentials" is one, whatever its own name.
                inner = name if may_name_a_secret(name) else str(key) if isinstance(key, str) else ""
                self.visit(_shown(below(path, key), self._secrets), inner, item, above)

    def _put_list(self, path: str, name: str, inside: Parts) -> bool:
        """Whether all items are single values of one kind, which stay a list."""
        singles = [scalar(item) for _, item in inside.items]
        found = [each for each in singles if each is not None and not each.is_secret]
        kinds = {each.type or _JSON_TYPES.get(type(each.value), "") for each in found}
        shows_types = not any(each.type for each in found)
        if len(found) < len(singles) or not (shows_types or len(kinds) == 1):
            return False
        of = "" if shows_types else f"[{kinds.pop()}]"
        self._put(path, self._shown_list(path, name, [each.value for each in found]), (inside.type or "list") + of)
        return True

    def _shown_list(self, path: str, name: str, values: list[Any]) -> Any:
        values = self._secrets.nested(values, f"parameter {path}", name)
        if len(values) <= MAX_ITEMS:
            return values
        self._gap(path, f"has {len(values)} items: they are recorded by their digest only")
        return {"length": len(values), "json_sha256": json_digest(values)}

    def _put_scalar(self, path: str, name: str, single: Scalar) -> None:
        where = f"parameter {path}"
        if single.is_secret:
            shown = self._secrets.hidden(single.value, where, "its class says that it is a secret")
        else:
            shown = self._secrets.named(name, single.value, where)
        self._put(path, shown, single.type if shown == single.value and not single.is_secret else "secret")

    def _put(self, path: str, value: Any, type_: str) -> None:
        self.flat.values[path] = value
        if len(self.flat.values) > MAX_VALUES:
            raise _TooLarge
        if type_ and type_ != "list":
            self.flat.types[path] = type_

    def _gap(self, path: str, text: str) -> None:
        self.flat.gaps.append(self._secrets.text(f"parameter {path} {text}", f"a gap about {path}"))


def _shown(path: str, secrets: Secrets) -> str:
    return secrets.text(path, "the name of a parameter")


def same(first: Flat, second: Flat) -> bool:
    """Whether two parameters have the same values and types."""
    return (first.values, first.types) == (second.values, second.types)
