"""The shared libraries that this process has loaded, and calls into them; nothing here loads one.

The list is that of `/proc/self/maps`, so it is empty where there is no such file (macOS, Windows).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from notarium.observing.reading import bytes_of

MAPS = Path("/proc/self/maps")


class Library(Protocol):
    """A loaded library: its functions are attributes, as those of ctypes.CDLL."""

    def __getattr__(self, name: str) -> Any: ...


class LoadedLibraries:
    """The libraries that were loaded when this was made."""

    def __init__(self, paths: Iterable[str]) -> None:
        """`paths`: absolute paths of shared libraries."""
        self._paths = tuple(dict.fromkeys(paths))

    @classmethod
    def now(cls) -> LoadedLibraries:
        """Of this process."""
        lines = os.fsdecode(bytes_of(MAPS) or b"").split("\n")
        mapped = (line.split(maxsplit=5)[5] for line in lines if ".so" in line)
        return cls(each for each in mapped if each.startswith("/"))

    def named(self, *prefixes: str) -> list[str]:
        """The file names that begin with one of `prefixes`, sorted, each once."""
        return sorted({name for each in self._paths if (name := os.path.basename(each)).startswith(prefixes)})

    def find(self, *prefixes: str) -> Library | None:
        """The first library whose file name begins with one of `prefixes`."""
        return next((found for each in self._paths if (found := self._library(each, prefixes)) is not None), None)

    def every(self, *prefixes: str) -> list[tuple[str, Library]]:
        """File name and library of each whose file name begins with one of `prefixes`."""
        found = ((os.path.basename(each), self._library(each, prefixes)) for each in self._paths)
        return [(name, library) for name, library in found if library is not None]

    def _library(self, path: str, prefixes: tuple[str, ...]) -> Library | None:
        if not os.path.basename(path).startswith(prefixes):
            return None
        try:
            # RTLD_NOLOAD: a handle of what is there, or an error.
            return ctypes.CDLL(path, mode=os.RTLD_NOLOAD | os.RTLD_LAZY)
        except OSError:
            # Unloaded or replaced on the disk since.
            return None


def function(library: Library, *names: str) -> Any | None:
    """The first of the functions `names` that `library` has."""
    return next((found for name in names if (found := getattr(library, name, None)) is not None), None)
