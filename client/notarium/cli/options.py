"""Options that several commands share, and the values that are written as NAME=VALUE and REL=TARGET."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from notarium.anchoring.commit import Disclosure
from notarium.errors import ProjectError
from notarium.ledger_access.pool import normal_url
from notarium.naming import EMPTY_PATH
from notarium.project import Project
from notarium_ledger.entries.commitment import RELATIONS


def given_path(text: str) -> Path:
    """The path that an argument names. Raises BadParameter for an empty one, as `artifact_path` does."""
    if not text:
        raise typer.BadParameter(EMPTY_PATH)
    return Path(text)


Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.1, help="Time limit for all nodes together, in seconds.")]
DisclosureOption = Annotated[
    Disclosure,
    typer.Option(
        "--disclosure",
        help="What the ledger shows. sealed: the digest of the record; consortium: also a run's times and Git "
        "commit, and a data set's number of files; public: also the names and digests of artifacts.",
    ),
]
Deep = Annotated[bool, typer.Option("--deep", help="Read every byte, even where the cache of digests knows the file.")]
Strict = Annotated[bool, typer.Option("--strict", help="Fail instead of leaving the entry in the outbox.")]
Refs = Annotated[
    list[str] | None,
    typer.Option(
        "--ref",
        metavar="REL=TARGET",
        help="A reference, such as derivedFrom=TARGET. TARGET is an entry id, a receipt or an artifact. Repeatable.",
    ),
]
GenesisFile = Annotated[
    Path | None,
    typer.Option(
        "--genesis",
        parser=given_path,
        metavar="FILE",
        help="Verify against this genesis file; no project is needed then.",
    ),
]

Nodes = Annotated[
    list[str] | None,
    typer.Option("--node", metavar="URL", help="Ask this node instead of the configured ones. Repeatable."),
]

VALUES_HELP = "A number, true or false is recorded as such, everything else (such as 1.10) as text."
FIELDS_HELP = "An integer is recorded as such, everything else as text: the ledger holds no fractions."

_INTEGER = re.compile(r"-?[0-9]{1,15}")
_NUMBER = re.compile(r"-?([0-9]*\.[0-9]*[1-9]|[0-9]+\.0|[0-9](\.[0-9]*[1-9])?[eE][+-]?[0-9]{1,3})")
"""What is surely meant as a number: not the version 1.10, which would become 1.1, nor the Git commit 1234e56."""


def with_nodes(here: Project, nodes: Sequence[str] | None) -> Project:
    """`here` with the nodes of --node, where any were given. Raises ProjectError."""
    return replace(here, nodes=tuple(normal_url(each) for each in nodes)) if nodes else here


def parse_values(texts: Sequence[str] | None, option: str) -> dict[str, Any]:
    """NAME=VALUE pairs for the record: integers, finite decimals, true, false, or text. Raises ProjectError."""
    return {name: _value(text) for name, text in _pairs(texts, option)}


def parse_fields(texts: Sequence[str] | None, option: str) -> dict[str, Any]:
    """NAME=VALUE pairs for the commitment: integers, or else text. Raises ProjectError."""
    return {name: int(text) if _INTEGER.fullmatch(text) else text for name, text in _pairs(texts, option)}


def parse_refs(texts: Sequence[str] | None) -> list[tuple[str, str]]:
    """REL=TARGET pairs. Raises ProjectError."""
    pairs = []
    for text in texts or ():
        rel, sign, target = text.partition("=")
        if not sign or not target or rel not in RELATIONS:
            raise ProjectError(f"--ref {text!r}: expected REL=TARGET with REL one of {', '.join(RELATIONS)}")
        pairs.append((rel, target))
    return pairs


def _pairs(texts: Sequence[str] | None, option: str) -> list[tuple[str, str]]:
    pairs = []
    for text in texts or ():
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise ProjectError(f"{option} {text!r}: expected NAME=VALUE")
        pairs.append((name, value))
    return pairs


def _value(text: str) -> bool | int | float | str:
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    # An integer of more digits stays text, because JSON readers round it.
    if _NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text
