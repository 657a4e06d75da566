"""What a verdict keeps of a record, which may have millions of lines: times, gaps, and what other tools vouch for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from notarium.evidence.artifact import Artifact
from notarium.evidence.contents import SHA256
from notarium.evidence.ignore import DEFAULTS
from notarium.evidence.record import Record
from notarium.verifying.seeds import NO_SEEDS, SeedCheck
from notarium_ledger.entries.commitment import Body

MOST_GAPS = 1000
"""Gaps of one record that a verdict names; a record may come from a stranger."""


MOST_PATTERNS = 10
"""Ignore rules of one folder that a verdict names."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a record that was committed to says."""

    started_ms: int | None
    ended_ms: int | None
    gaps: tuple[str, ...]
    algorithms: tuple[str, ...]
    """Of digests that other tools vouch for."""
    seeds: SeedCheck = NO_SEEDS
    left_out: tuple[str, ...] = ()
    """Of each folder that has ignore rules besides the usual ones: what they leave out."""

    @classmethod
    def of(cls, record: Record, seeds: SeedCheck = NO_SEEDS) -> Recorded:
        """The summary of `record`."""
        gaps = record.facts.get("gaps")
        said = [str(each) for each in gaps] if isinstance(gaps, list) else []
        if len(said) > MOST_GAPS:
            said[MOST_GAPS:] = [f"and {len(said) - MOST_GAPS} more, which the record lists"]
        algorithms = {name for each in record.artifacts for name in each.content.digests if name != SHA256}
        return cls(
            read_time(record.facts.get("started")),
            read_time(record.facts.get("ended")),
            tuple(said),
            tuple(sorted(algorithms)),
            seeds,
            tuple(text for each in record.artifacts if (text := _left_out(each))),
        )


def _left_out(artifact: Artifact) -> str:
    """What a reader must know, because a record that ignores everything hides whatever is added later."""
    ignored = artifact.content.ignored
    own = [each for each in ignored.patterns if each not in DEFAULTS] if ignored is not None else []
    if ignored is None or not own:
        return ""
    more = f" and {len(own) - MOST_PATTERNS} more" if len(own) > MOST_PATTERNS else ""
    return f"what {artifact.name} has besides: its record ignores {', '.join(own[:MOST_PATTERNS])}{more}"


@dataclass(frozen=True, slots=True)
class Claimed:
    """When something began and ended, by the clock of whoever signed it. None where it is not said."""

    started_ms: int | None
    ended_ms: int | None

    @classmethod
    def by(cls, body: Body, recorded: Recorded | None) -> Claimed:
        """As the entry says, or else as the record does."""
        return cls(_time(body, "started_ms", recorded), _time(body, "ended_ms", recorded))


def read_time(text: Any) -> int | None:
    """Milliseconds since 1970 of a time in a record; None where it is not one, or in UTC not of the years 1 to 9999."""
    if not isinstance(text, str):
        return None
    try:
        time = datetime.fromisoformat(text)
        return round((time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def _time(body: Mapping[str, Any], name: str, recorded: Recorded | None) -> int | None:
    said: int | None = body.get(name)
    return said if said is not None or recorded is None else getattr(recorded, name)
