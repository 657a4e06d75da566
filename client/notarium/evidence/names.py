"""Names of files as a record holds them: exactly as the file system does, or refused.

Two names that look alike are two names. Where one takes the other's place, or a file system would make one of both,
`difference` says what distinguishes them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from notarium.errors import UnreadableArtifact


def check_name(root: Path, name: str) -> None:
    """Raise UnreadableArtifact for a name in `root` that is not UTF-8: a record is JSON and cannot hold it."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise UnreadableArtifact(str(root / printable(name)), "its name is not UTF-8; rename it") from error


def printable(name: str) -> str:
    """The name itself, or something like it where it is not UTF-8."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def folded(name: str) -> str:
    """Equal for names that look alike: in another normal form of Unicode, or in letters of another case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def look_alikes(names: Iterable[str]) -> list[tuple[str, ...]]:
    """The groups of different names that look alike, in ascending order."""
    groups: dict[str, list[str]] = {}
    for name in names:
        # Most names are ASCII in lower case, and are their own folded form.
        groups.setdefault(name if name.isascii() and name.islower() else folded(name), []).append(name)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


def difference(first: str, second: str) -> str:
    """What distinguishes two names that look alike."""
    if unicodedata.normalize("NFC", first) != unicodedata.normalize("NFC", second):
        return "in case"
    one, other = _first_difference(first, second)
    return f"in Unicode's normal form: {_code_points(one)} and {_code_points(other)}"


def _first_difference(first: str, second: str) -> tuple[str, str]:
    """The characters at the first place where they differ, with the marks that belong to them."""
    start = next((n for n, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), 0)
    # A mark belongs to the character before it, which both names have.
    while start and any(unicodedata.combining(text[start]) for text in (first, second) if start < len(text)):
        start -= 1
    return _cluster(first[start:]), _cluster(second[start:])


def _cluster(text: str) -> str:
    end = next((n for n in range(1, len(text)) if not unicodedata.combining(text[n])), len(text))
    return text[:end]


def _code_points(text: str) -> str:
    return " ".join(f"U+{ord(character):04X}" for character in text)
