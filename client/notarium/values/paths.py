"""The path of a value inside a nested configuration: `model.layers[0].width`, `weights["a.b"]`.

Each path has one meaning: a key that could be read as more than one step, and each key that is no text, stands in
brackets, as JSON.
"""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import Any, Final

from notarium.values.as_json import to_json
from notarium.values.names import class_name

_SIMPLE: Final = re.compile(r'[^.\[\]"\s\x00-\x1f\x7f\ud800-\udfff]+')


def below(path: str, key: Any) -> str:
    """The path of what `key` leads to."""
    if isinstance(key, Enum):
        return f"{path}[{class_name(type(key))}.{key.name}]"
    if isinstance(key, str):
        if _SIMPLE.fullmatch(key):
            return f"{path}.{key}"
        # With escapes only where they are needed, so that people can read it.
        return f"{path}[{json.dumps(key, ensure_ascii=not _is_utf8(key))}]"
    return f"{path}[{json.dumps(to_json(key), ensure_ascii=False)}]"


def _is_utf8(text: str) -> bool:
    return text == text.encode(errors="replace").decode()
