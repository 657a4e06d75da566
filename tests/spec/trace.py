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


@dataclass(frozen=True, slots=True)
class Trace:
    """One run of the model: the states, each with the event that led to it."""

    name: str
    states: tuple[dict[str, Any], ...]


def read_trace(path: Path) -> Trace:
    """A trace file, ``.itf.json`` or ``.itf.json.xz``. Raises ValueError if it holds no states."""
    raw = path.read_bytes()
    document = json.loads(lzma.decompress(raw) if path.suffix == ".xz" else raw)
    states = tuple(plain(state) for state in document["states"])
    if not states:
        raise ValueError(f"{path.name}: no states")
    return Trace(path.name.split(".")[0], states)


def plain(value: Any) -> Any:
    """An ITF value in Python's terms."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "#bigint" in value:
        return int(value["#bigint"])
    if "#tup" in value:
        return [plain(item) for item in value["#tup"]]
    if "#set" in value:
        return sorted(map(plain, value["#set"]), key=lambda item: json.dumps(item, sort_keys=True))
    if "#map" in value:
        return {plain(key): plain(item) for key, item in value["#map"]}
    if value.keys() == {"tag", "value"}:
        return value["tag"], plain(value["value"])
    return {name: plain(item) for name, item in value.items() if name != "#meta"}
