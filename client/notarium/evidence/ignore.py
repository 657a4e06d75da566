"""What is left out of an artifact: patterns in the syntax of gitignore.

They come, in this order, from the defaults below, from the `.notariumignore` files of the project and of the artifact's
folders, and from whoever anchors (`--exclude`); the last that matches decides, and `!` takes something in again. A
record holds all of them, written relative to the artifact, so that its verification leaves out the same and needs no
other file.

Patterns may come from a stranger's record. So none is matched by backtracking: the time grows with the length of the
pattern times that of the path, and no faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from notarium.errors import InvalidRecordFile, ProjectError
from notarium.naming import OWN_FILES

IGNORE_FILE: Final = ".notariumignore"
DEFAULTS: Final = (
    ".DS_Store",
    "Thumbs.db",
    "__pycache__/",
    ".ipynb_checkpoints/",
    ".git",
    ".hg",
    ".svn",
    *OWN_FILES,
)
"""What tools keep beside the data, and Notarium's own files."""
MAX_PATTERNS: Final = 1000
MAX_PATTERN_BYTES: Final = 1024
NAMED: Final = 100
"""So many of the paths that were left out are named; the others are counted."""

_SPECIAL = re.compile(r"([\\*?\[])")
_SPACES = re.compile(r"(?<!\\)[ \t\r]+$")


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of gitignore's syntax, read."""

    text: str
    is_kept: bool
    """Whether it begins with "!": what matches is taken in again."""
    is_folder: bool
    """Whether it ends in "/": only folders match."""
    parts: tuple[str, ...]
    """Its segments. One alone matches names at any depth unless `is_anchored`."""
    is_anchored: bool

    @classmethod
    def read(cls, line: str) -> Pattern | None:
        """The pattern on a line; None for an empty line or a comment. Raises ValueError."""
        text = _SPACES.sub("", line.rstrip("\n"))
        if not text or text.startswith("#"):
            return None
        if len(text.encode(errors="replace")) > MAX_PATTERN_BYTES or "\0" in text:
            raise ValueError(f"a pattern has at most {MAX_PATTERN_BYTES} bytes and no zero byte")
        is_kept = text.startswith("!")
        body = text[1:] if is_kept else text
        is_folder = body.endswith("/")
        body = body.rstrip("/") if is_folder else body
        is_anchored = "/" in body
        parts = tuple(part for part in body.split("/") if part)
        if not parts:
            return None
        return cls(text, is_kept, is_folder, parts, is_anchored)

    def below(self, folder: str) -> str:
        """The pattern as it is written for the folder above `folder`, in whose ignore file it stands."""
        parts = self.parts if self.is_anchored else ("**", *self.parts)
        return self._written("/".join([*map(escaped, folder.split("/")), *parts]))

    def inside(self, folder: Sequence[str]) -> str | None:
        """The pattern as it is written for `folder`, by its parts, below the one in whose ignore file it stands.

        None where nothing in `folder` can match it.
        """
        if not self.is_anchored:
            return self.text
        for number, part in enumerate(self.parts):
            if part == "**":
                return self._written("/".join(self.parts[number:]))
            if number == len(folder):
                return self._written("/" + "/".join(self.parts[number:]))
            if not _regex(part).fullmatch(folder[number]):
                return None
        return None

    def _written(self, body: str) -> str:
        return f"{'!' if self.is_kept else ''}{body}{'/' if self.is_folder else ''}"

    def matches(self, parts: Sequence[str], is_folder: bool) -> bool:
        """Whether it matches the path with these segments; folders on the way are the caller's to ask."""
        if self.is_folder and not is_folder:
            return False
        if not self.is_anchored:
            return _regex(self.parts[0]).fullmatch(parts[-1]) is not None
        return _matches(self.parts, parts)


class Rules:
    """Patterns in their order. The last one that matches decides."""

    def __init__(self, patterns: Sequence[str] = DEFAULTS) -> None:
        """Raises ValueError."""
        if len(patterns) > MAX_PATTERNS:
            raise ValueError(f"{len(patterns)} patterns, at most {MAX_PATTERNS} allowed")
        self.patterns = tuple(patterns)
        read = [each for each in map(Pattern.read, self.patterns) if each is not None]
        self._tests = [_Test.of(list(group)) for _, group in groupby(reversed(read), _kind)]

    def with_file(self, text: str, folder: str, keep_last: int) -> Rules:
        """With the patterns of an ignore file in `folder` ("" for the artifact's), before the last `keep_last`.

        Raises ValueError.
        """
        added = [each.below(folder) if folder else each.text for each in read_patterns(text)]
        head = len(self.patterns) - keep_last
        return Rules([*self.patterns[:head], *added, *self.patterns[head:]])

    def leave_out(self, path: str, is_folder: bool) -> bool:
        """Whether `path` is left out by its own name; a folder that is left out is not entered."""
        name = path.rpartition("/")[2]
        for test in self._tests:
            if test.matches(path, name, is_folder):
                return not test.is_kept
        return False

    def leave_out_within(self, path: str, is_folder: bool) -> bool:
        """Whether `path`, or a folder on the way to it, is left out."""
        parts = path.split("/")
        ways = ("/".join(parts[: number + 1]) for number in range(len(parts)))
        return any(self.leave_out(way, is_folder or way != path) for way in ways)


@dataclass(frozen=True)
class _Test:
    """Neighbouring patterns of one kind, tried together."""

    is_kept: bool
    is_folder: bool
    names: re.Pattern[str] | None
    """For patterns that match a name at any depth."""
    paths: tuple[Pattern, ...]

    @classmethod
    def of(cls, group: Sequence[Pattern]) -> _Test:
        first = group[0]
        if first.is_anchored:
            return cls(first.is_kept, first.is_folder, None, tuple(group))
        names = re.compile("|".join(f"(?:{_translated(each.parts[0])})" for each in group), re.DOTALL)
        return cls(first.is_kept, first.is_folder, names, ())

    def matches(self, path: str, name: str, is_folder: bool) -> bool:
        if self.is_folder and not is_folder:
            return False
        if self.names is not None:
            return self.names.fullmatch(name) is not None
        parts = path.split("/")
        return any(_matches(each.parts, parts) for each in self.paths)


@dataclass(frozen=True, slots=True)
class Ignored:
    """What was left out of a folder, as its record says it."""

    patterns: tuple[str, ...]
    paths: tuple[str, ...] = field(default=(), compare=False)
    """The first of them, folders with a slash at the end."""
    count: int = field(default=0, compare=False)
    """How many; what is inside a folder that was left out is not counted."""

    def to_json(self) -> dict[str, Any]:
        """{patterns, count, first}."""
        return {"patterns": list(self.patterns), "count": self.count, "first": list(self.paths)}

    @classmethod
    def from_json(cls, value: Any) -> Ignored:
        """Raises InvalidRecordFile, KeyError or TypeError."""
        patterns, first = value["patterns"], value["first"]
        if not all(isinstance(each, str) for each in [*patterns, *first]) or not isinstance(value["count"], int):
            raise InvalidRecordFile("what was ignored is a list of patterns, a count and a list of paths")
        try:
            Rules(patterns)
        except ValueError as error:
            raise InvalidRecordFile(f"what was ignored: {error}") from error
        return cls(tuple(patterns), tuple(first), value["count"])


def read_patterns(text: str) -> list[Pattern]:
    """The patterns of an ignore file. Raises ValueError."""
    return [each for line in text.splitlines() if (each := Pattern.read(line)) is not None]


def check_exclude(patterns: Sequence[str]) -> None:
    """Raise ProjectError for a pattern that nobody can use."""
    try:
        Rules(patterns)
    except ValueError as error:
        raise ProjectError(f"--exclude: {error}") from error


def escaped(name: str) -> str:
    """A name as a pattern that matches it alone."""
    return _SPECIAL.sub(r"\\\1", name)


def _kind(pattern: Pattern) -> tuple[bool, bool, bool]:
    return pattern.is_kept, pattern.is_folder, pattern.is_anchored


def _matches(pattern: Sequence[str], path: Sequence[str]) -> bool:
    """Whether the segments match, where "**" stands for any number of them: the usual walk with one way back."""
    at, position, star, resumed = 0, 0, -1, 0
    while position < len(path):
        if at < len(pattern) and pattern[at] == "**":
            star, resumed = at, position
            at += 1
        elif at < len(pattern) and _regex(pattern[at]).fullmatch(path[position]):
            at, position = at + 1, position + 1
        elif star >= 0:
            resumed += 1
            at, position = star + 1, resumed
        else:
            return False
    # "a/**" means what is in a, so "**" at the end needs something; elsewhere it may stand for nothing.
    rest = pattern[at:]
    return not rest


_compiled: dict[str, re.Pattern[str]] = {}


def _regex(segment: str) -> re.Pattern[str]:
    found = _compiled.get(segment)
    if found is None:
        if len(_compiled) > 4 * MAX_PATTERNS:
            _compiled.clear()
        found = _compiled[segment] = re.compile(_translated(segment), re.DOTALL)
    return found


def _translated(segment: str) -> str:
    """A segment as a regular expression. Each "*" takes the shortest text for what follows it and never tries again."""
    pieces = [""]
    for each in _tokens(segment):
        if each == "*":
            pieces.append("")
        else:
            pieces[-1] += each
    if len(pieces) == 1:
        return pieces[0]
    middle = "".join(f"(?>[^/]*?{piece})" for piece in pieces[1:-1] if piece)
    return f"{pieces[0]}{middle}[^/]*{pieces[-1]}" if pieces[-1] else f"{pieces[0]}{middle}[^/]*"


def _tokens(segment: str) -> Iterator[str]:
    """One regular expression for each character that is matched, and "*" for a star."""
    position = 0
    while position < len(segment):
        character = segment[position]
        position += 1
        if character == "*":
            yield "*"
        elif character == "?":
            yield "[^/]"
        elif character == "\\" and position < len(segment):
            yield re.escape(segment[position])
            position += 1
        elif character == "[" and (end := _class_end(segment, position)) is not None:
            yield _class(segment[position:end])
            position = end + 1
        else:
            yield re.escape(character)


def _class_end(segment: str, start: int) -> int | None:
    first = start + (segment[start : start + 1] in ("!", "^"))
    end = segment.find("]", first + 1)
    return None if end < 0 else end


def _class(inside: str) -> str:
    is_negated = inside[:1] in ("!", "^")
    members = inside[1:] if is_negated else inside
    written = "".join(each if each == "-" else re.escape(each) for each in members)
    try:
        re.compile(f"[{written}]")
    except re.error:
        # A range that runs backwards matches nothing, as in Git.
        return r"(?!)"
    return f"(?!/)[{'^' if is_negated else ''}{written}]"
