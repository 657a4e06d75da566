"""A record as lines that can be compared: each value under its part and path.

It reads whatever a record holds, also one of a later version: what it does not know is a plain fact.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final


class Part(StrEnum):
    """What a value belongs to, in the order in which a difference matters."""

    OUTCOME = "outcome"
    METRIC = "metric"
    PARAMETER = "parameter"
    SEED = "seed"
    FILE = "file"
    CODE = "code"
    DETERMINISM = "determinism"
    PACKAGE = "package"
    DEVICE = "device"
    ENVIRONMENT = "environment"
    FACT = "fact"


_PARTS: Final = {
    "status": Part.OUTCOME,
    "exit_code": Part.OUTCOME,
    "params": Part.PARAMETER,
    "seeds": Part.SEED,
    "determinism": Part.DETERMINISM,
    "code": Part.CODE,
    "gpus": Part.DEVICE,
}
_WITHOUT_NAME: Final = frozenset({"params", "seeds", "determinism", "code", "gpus", "environment", "packages"})
"""Facts whose name the part says already."""
_UNIQUE: Final = frozenset({"salt", "secrets_salt", "run_id", "ledger_seeds", "started", "ended", "metrics", "gaps"})
"""Of one run only, or compared otherwise."""
_MAX_DEPTH: Final = 40
_MAX_PATH: Final = 300
_SECRET: Final = re.compile(r"\[secret[^\]]*\]")
"""In the place of a secret."""

Lines = dict[tuple[Part, str], Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs."""

    part: Part
    name: str
    before: str | None
    """In the first record; None where it has no such value."""
    after: str | None
    note: str = ""
    """What else there is to say of it."""

    def __str__(self) -> str:
        before, after = ("-" if each is None else each for each in (self.before, self.after))
        return f"{self.part} {self.name}: {before} → {after}" + (f" ({self.note})" if self.note else "")

    def to_json(self) -> dict[str, Any]:
        """{part, name, before, after, note?}."""
        said = {"part": str(self.part), "name": self.name, "before": self.before, "after": self.after}
        return {**said, "note": self.note} if self.note else said


_TYPE: Final = " (type)"


def lines_of(facts: Mapping[str, Any]) -> Lines:
    """The values of a record's facts, except metrics and what is of one run only."""
    found: Lines = {}
    for name, value in facts.items():
        if name in _UNIQUE:
            continue
        if name == "environment" and isinstance(value, dict):
            found |= _environment(value)
        elif name == "param_types" and isinstance(value, dict):
            found |= {(Part.PARAMETER, f"{path}{_TYPE}"): type_ for path, type_ in value.items()}
        else:
            found |= _under(_PARTS.get(name, Part.FACT), "" if name in _WITHOUT_NAME else name, value)
    return found


def packages_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """The version of each installed package that a record names."""
    environment = facts.get("environment")
    lines = _environment(environment) if isinstance(environment, dict) else {}
    return {name: str(value) for (part, name), value in lines.items() if part is Part.PACKAGE and " " not in name}


def differences(before: Lines, after: Lines) -> list[Difference]:
    """What differs, part by part and by name."""
    order = list(Part)
    found = []
    for key in sorted(before.keys() | after.keys(), key=lambda key: (order.index(key[0]), key[1])):
        if key in before and key in after and _canonical(before[key]) == _canonical(after[key]):
            continue
        if key[1].endswith(_TYPE) and (key in before) is not (key in after):
            # A type stands in a record only where the JSON value does not show it: 1.0 has one, and 0.1 has none.
            continue
        old, new = _texts(before, after, key, value_text)
        if old == new:
            # The text "1" and the number 1.
            old, new = _texts(before, after, key, _as_json)
        found.append(Difference(*key, old, new))
    return found


def without_secrets(lines: Lines) -> Lines:
    """The lines with the same word for each secret, because its salted digest differs between records."""
    return {key: _SECRET.sub("[secret]", value) if isinstance(value, str) else value for key, value in lines.items()}


def value_text(value: Any) -> str:
    """A value for people: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else _as_json(value)


def _texts(
    before: Lines, after: Lines, key: tuple[Part, str], text: Callable[[Any], str]
) -> tuple[str | None, str | None]:
    return text(before[key]) if key in before else None, text(after[key]) if key in after else None


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _environment(environment: Mapping[str, Any]) -> Lines:
    found: Lines = {}
    for name, value in environment.items():
        if name == "packages":
            found |= _packages(value)
        else:
            part = _PARTS.get(name, Part.ENVIRONMENT)
            found |= _under(part, "" if name in _WITHOUT_NAME else name, value)
    return found


def _packages(packages: Any) -> Lines:
    """From {name: version}, or from [{name, version, record_sha256, ...}]."""
    if isinstance(packages, dict):
        return {(Part.PACKAGE, _normal(name)): version for name, version in packages.items()}
    found: Lines = {}
    for each in packages if isinstance(packages, list) else ():
        if isinstance(each, dict) and "name" in each:
            name = _normal(str(each["name"]))
            for field, value in each.items():
                if field != "name":
                    found[Part.PACKAGE, name if field == "version" else f"{name} {field}"] = value
    return found


def _under(part: Part, path: str, value: Any) -> Lines:
    # No parameters at all are no parameter.
    return {(part, path): leaf for path, leaf in _leaves(path, value, 0) if path or leaf not in ({}, [], None)}


def _leaves(path: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """(path, value) of everything inside that has no parts."""
    if isinstance(value, dict) and value and depth < _MAX_DEPTH:
        for name, inside in value.items():
            yield from _leaves(_path(f"{path}.{name}" if path else str(name)), inside, depth + 1)
    elif isinstance(value, list) and any(isinstance(each, dict | list) for each in value) and depth < _MAX_DEPTH:
        names = [each.get("name") if isinstance(each, dict) else None for each in value]
        is_named = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
        for number, inside in enumerate(value):
            yield from _leaves(_path(f"{path}[{names[number] if is_named else number}]"), inside, depth + 1)
    else:
        yield path, value


def _path(text: str) -> str:
    """A long one is cut, and a digest keeps it apart: everything inside repeats it."""
    if len(text) <= _MAX_PATH:
        return text
    return f"{text[:_MAX_PATH]}…{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:16]}"


def _canonical(value: Any) -> str:
    """1 and 1.0 are one number, and the text "1" is not."""
    whole = isinstance(value, float) and value.is_integer()
    return json.dumps(int(value) if whole else value, sort_keys=True)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
