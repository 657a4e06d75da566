"""Stands in for any part of a node."""

from __future__ import annotations

from typing import Any


class Recorder:
    """Notes what is called with which arguments; `methods` are called in fact."""

    def __init__(self, name: str, calls: list[tuple[Any, ...]], **methods: Any) -> None:
        self._name = name
        self._calls = calls
        self.__dict__.update(methods)

    def __getattr__(self, method: str) -> Any:
        return lambda *arguments: self._calls.append((f"{self._name}.{method}", *arguments))
