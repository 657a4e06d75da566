"""Traces of the formal model (docs/spec/), as the Quint tool writes them: Informal Trace Format, JSON.

=====================  ==========================================  =============================
in the model           in ITF                                      here
=====================  ==========================================  =============================
integer                ``{"#bigint": "1"}`` or 1                   int
record                 ``{"field": ...}``                          dict
list, tuple            ``[...]``, ``{"#tup": [...]}``              list
set                    ``{"#set": [...]}``, in any order           list, in one order
map                    ``{"#map": [[key, value], ...]}``           dict
sum type               ``{"tag": "Some", "value": ...}``           (tag, value)
=====================  ==========================================  =============================
"""

from __future__ import annotations

import json
import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import Any

START: tuple[str, list[Any]] = ("Start", [])
"""The event of every first state, and of no other."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One run of the model: the states, each with the event that led to it."""

    name: str
    states: tuple[dict[str, Any], ...]


def read_trace(path: Path, sort_sets: bool = False) -> Trace:
    """A trace file, ``.itf.json`` or ``.itf.json.xz``; with `sort_sets`, equal states come out equal.

    Raises ValueError if it holds no steps, or does not begin at the beginning: there is nothing to play in it.
    """
    states = tuple(plain(state, sort_sets) for state in _states(path))
    if len(states) < 2:
        raise ValueError(f"{path.name}: no steps")
    if states[0]["event"] != START or any(state["event"] == START for state in states[1:]):
        raise ValueError(f"{path.name}: its first state, and no other, must be of the event Start")
    return Trace(path.name.split(".")[0], states)


def first_state(path: Path) -> dict[str, Any]:
    """Only how the trace begins."""
    state = plain(_states(path)[0])
    assert isinstance(state, dict)
    return state


def plain(value: Any, sort_sets: bool = False) -> Any:
    """An ITF value in Python's terms."""
    if isinstance(value, list):
        return [plain(item, sort_sets) for item in value]
    if not isinstance(value, dict):
        return value
    if "#bigint" in value:
        return int(value["#bigint"])
    if "#tup" in value:
        return [plain(item, sort_sets) for item in value["#tup"]]
    if "#set" in value:
        items = [plain(item, sort_sets) for item in value["#set"]]
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True)) if sort_sets else items
    if "#map" in value:
        return {plain(key): plain(item, sort_sets) for key, item in value["#map"]}
    if value.keys() == {"tag", "value"}:
        return value["tag"], plain(value["value"], sort_sets)
    return {name: plain(item, sort_sets) for name, item in value.items() if name != "#meta"}


def _states(path: Path) -> list[Any]:
    raw = path.read_bytes()
    document = json.loads(lzma.decompress(raw) if path.suffix == ".xz" else raw)
    states = document["states"]
    if not isinstance(states, list) or not states:
        raise ValueError(f"{path.name}: no states")
    return states
