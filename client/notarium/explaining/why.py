"""Why something differs: causes with what they rest on, and for a file since when and in which lines."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from notarium.explaining.lines import Difference

_SHOWN: Final = 5
"""Differences of a content; --json has more."""


class Certainty(StrEnum):
    """How sure a cause is."""

    PROVEN = "proven"
    """What was done was undone here, and gave the recorded content."""
    LIKELY = "likely"
    POSSIBLE = "possible"
    """Something that has this effect is there; whether it did is not known."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One cause."""

    what: str
    """In a word or two: "line ends", "library version"."""
    certainty: Certainty
    text: str

    def __str__(self) -> str:
        return f"{self.what} ({self.certainty}): {self.text}"

    def to_json(self) -> dict[str, str]:
        """{what, certainty, text}."""
        return {"what": self.what, "certainty": str(self.certainty), "text": self.text}


@dataclass(frozen=True, slots=True)
class Why:
    """What is known of one file that is not what was anchored."""

    path: str
    since: str
    """Which anchors saw it as it was, and which did not; "" where only its own receipt speaks of it."""
    causes: tuple[Explanation, ...]
    differences: tuple[Difference, ...] = ()
    """Where the recorded content is at hand: what differs in it."""

    def lines(self) -> list[str]:
        """For people, each a sentence about the file."""
        said = [f"{self.path}: {cause}" for cause in self.causes]
        said += [f"{self.path}: {self.since}"] if self.since else []
        said += [str(each) for each in self.differences[:_SHOWN]]
        more = len(self.differences) - _SHOWN
        return [*said, f"{self.path}: and {more} more differences (--json lists all)"] if more > 0 else said

    def to_json(self) -> dict[str, Any]:
        """{path, since, causes, differences}."""
        return {
            "path": self.path,
            "since": self.since or None,
            "causes": [each.to_json() for each in self.causes],
            "differences": [each.to_json() for each in self.differences],
        }
