"""Two records side by side, or a record beside what is here now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from notarium.errors import UnreadableArtifact
from notarium.evidence.artifact import Artifact
from notarium.evidence.contents import Item
from notarium.evidence.digest_cache import DigestCache
from notarium.evidence.inventory import Selection, hash_path
from notarium.explaining.at_hand import Side, read_now
from notarium.explaining.files import file_differences, pairs_of
from notarium.explaining.lines import Difference, Part, differences, lines_of, without_secrets
from notarium.explaining.metrics import course_of, metric_differences
from notarium.observing.observation import observe_here

_HERE = (Part.FILE, Part.CODE, Part.PACKAGE, Part.DEVICE, Part.ENVIRONMENT)
"""What can be seen here without running anything."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs, and how much does not."""

    differences: tuple[Difference, ...]
    same: int
    """Values, metrics and artifacts that are the same on both sides."""
    not_compared: tuple[str, ...] = ()
    """What could not be compared, and why."""

    def to_json(self) -> dict[str, Any]:
        """{differences, same, not_compared}."""
        return {
            "differences": [each.to_json() for each in self.differences],
            "same": self.same,
            "not_compared": list(self.not_compared),
        }


def compare(before: Side, after: Side) -> Comparison:
    """Two records."""
    old, new = lines_of(before.record.facts), lines_of(after.record.facts)
    if before.record.facts.get("secrets_salt") != after.record.facts.get("secrets_salt"):
        old, new = without_secrets(old), without_secrets(new)
    old_series, new_series = course_of(before.record.facts), course_of(after.record.facts)
    metrics = metric_differences(old_series, new_series)
    artifacts = (before.record.artifacts, after.record.artifacts)
    files = file_differences(*artifacts, before.recorded, after.recorded)
    values = differences(old, new)
    same = len(old.keys() & new.keys()) - sum(each.before is not None and each.after is not None for each in values)
    same += len(old_series.keys() & new_series.keys()) - sum(None not in (each.before, each.after) for each in metrics)
    same += sum(
        pair.before is not None and pair.after is not None and pair.before.content.has_same_bytes(pair.after.content)
        for pair in pairs_of(*artifacts)
    )
    return Comparison(_in_order([*values, *metrics, *files]), same)


def compare_with_here(side: Side, cache: DigestCache | None = None) -> Comparison:
    """A record and what is here: its files as far as they are here, its code, packages and machine."""
    artifacts, recorded, not_compared = list[Artifact](), list[Artifact](), list[str]()
    for artifact in side.record.artifacts:
        found = _artifact_now(side, artifact, cache)
        if isinstance(found, str):
            not_compared.append(f"{artifact.role} {artifact.name}: {found}")
        else:
            recorded.append(artifact)
            artifacts.append(found)
    facts: dict[str, Any] = {}
    if side.record.facts.keys() & {"environment", "code"}:
        here = observe_here(side.place.parent, lambda path: hash_path(path, cache=cache).sha256)
        now = {"environment": here.environment, "code": here.code.to_json()}
        facts = {name: each for name, each in now.items() if name in side.record.facts}
    known = {key: value for key, value in lines_of(side.record.facts).items() if key[0] in _HERE}
    # What a later version records and this one does not see has not changed.
    seen = lines_of(facts)
    missing = {key: value for key, value in known.items() if key not in seen and key[0] is not Part.PACKAGE}
    known = {key: value for key, value in known.items() if key not in missing}
    seen = {key: value for key, value in seen.items() if key in known or key[0] is Part.PACKAGE}
    before = Side(replace(side.record, artifacts=tuple(recorded)), side.place)
    files = file_differences(recorded, artifacts, before.recorded, _now(side))
    values = differences(known, seen)
    if missing:
        not_compared.append(f"{len(missing)} values of the machine and the code, which are not looked at here")
    if {part for part, _ in lines_of(side.record.facts)} - set(_HERE):
        not_compared.append("parameters, seeds, metrics and outcome: only another run has these")
    same = len(known.keys() & seen.keys()) - sum(None not in (each.before, each.after) for each in values)
    same += sum(one.content.has_same_bytes(other.content) for one, other in zip(recorded, artifacts, strict=True))
    return Comparison(_in_order([*values, *files]), same, tuple(not_compared))


def _now(side: Side) -> Any:
    """The content of a file today."""

    def read(artifact: Artifact, item: Item) -> bytes | None:
        location = side.location(artifact)
        return None if location is None else read_now(location / item.path if item.path else location)

    return read


def _artifact_now(side: Side, artifact: Artifact, cache: DigestCache | None) -> Artifact | str:
    """The artifact as it is now, or why it is not compared."""
    location = side.location(artifact)
    if location is None:
        return "outside of the folder of the record"
    try:
        ignored = artifact.content.ignored
        selection = Selection.of(ignored.patterns if ignored else (), follow=False)
        return replace(artifact, content=hash_path(location, selection, cache=cache))
    except UnreadableArtifact as error:
        return error.reason


def _in_order(found: Sequence[Difference]) -> tuple[Difference, ...]:
    order = list(Part)
    return tuple(sorted(found, key=lambda each: order.index(each.part)))
