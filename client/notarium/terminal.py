r"""What a terminal may get: all that `notarium` and `notarium-node` print goes through here.

Names of projects and files, and the answers of nodes, come from anyone. They may hold characters that steer a terminal,
turn the direction of a line around or show nothing, and characters that the terminal's encoding lacks. Each of these is
printed as its escape, such as \x9b. JSON is pure ASCII.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.segment import Segment

_SHOWS_NOTHING = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
"""Unicode's default ignorable code points, as far as Python calls them printable."""
_STDERR = 2
_PLAIN = {"·": "-", "…": "...", "→": "->", **dict(zip("▁▂▃▄▅▆▇█", "_.-~=+*#", strict=True))}
"""What this program writes itself, where the encoding lacks it."""


def printable(text: str, encoding: str = "utf-8") -> str:
    """`text` on one line, of characters that are seen as what they are and that `encoding` has."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(each if _is_seen(each, encoding) else _escaped(each) for each in text)


def lines(text: str, encoding: str = "utf-8") -> str:
    """`text` with its line breaks, each line as `printable` gives it."""
    return "\n".join(printable(line, encoding) for line in text.split("\n"))


def json_text(document: Any, indent: int | None = None) -> str:
    """`document` as JSON in ASCII, which every encoding has; a program reads back what it was."""
    return json.dumps(document, indent=indent)


def console(*, stderr: bool = False, width: int | None = None) -> Console:
    """A console of rich. It breaks no line, so hashes, paths and commands stay whole."""
    made = _Console(stderr=stderr, soft_wrap=True, highlight=False, emoji=False, width=width)
    made.push_render_hook(_Escaping(made))
    return made


def write(text: str, stream: TextIO) -> None:
    """Write lines to stdout or stderr, without colour."""
    stream.write(lines(text.rstrip("\n"), stream.encoding or "utf-8") + "\n")
    stream.flush()


def prepare() -> None:
    """Make the streams of this process safe to print to, whatever writes to them."""
    for name, mode in (("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            # Closed by whoever started the program, who wants the exit code only.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            # For what does not print through here, such as the help of typer.
            stream.reconfigure(errors="backslashreplace")
    if type(sys.stderr) is io.TextIOWrapper and sys.stderr.fileno() == _STDERR:
        lossy = io.BufferedWriter(_Lossy(_STDERR, "w", closefd=False))
        sys.stderr = io.TextIOWrapper(lossy, sys.stderr.encoding, "backslashreplace", line_buffering=True)


class _Lossy(io.FileIO):
    """Standard error that loses what it cannot write, for example on a full disk: the exit code stays what it is."""

    def write(self, data: Any) -> int:
        try:
            written = super().write(data)
        except OSError:
            written = None
        return len(data) if written is None else written


class _Console(Console):
    """Rich ends a program whose reader went away with the exit code 1, which means something else here."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class _Escaping(RenderHook):
    """Escapes what rich has rendered: tables and all other text, but not the colours, which it adds itself."""

    def __init__(self, made: Console) -> None:
        self._console = made

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Escaped(each) for each in renderables]


class _Escaped:
    """A renderable whose text is escaped."""

    def __init__(self, renderable: ConsoleRenderable) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        return _escape(console.render(self._renderable, options), console.encoding)


def _escape(segments: Iterable[Segment], encoding: str) -> Iterable[Segment]:
    for each in segments:
        yield each if each.control else Segment(lines(each.text, encoding), each.style)


def _is_seen(character: str, encoding: str) -> bool:
    if not character.isprintable() or _SHOWS_NOTHING.match(character):
        return False
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escaped(character: str) -> str:
    if character in _PLAIN:
        return _PLAIN[character]
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
