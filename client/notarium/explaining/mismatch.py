"""Why a file is not what was anchored: since which anchor, and by which likely cause."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from notarium.errors import InvalidRecordFile
from notarium.evidence.artifact import Artifact
from notarium.evidence.contents import Item
from notarium.evidence.inventory import hash_path
from notarium.evidence.record import Record, read_record
from notarium.explaining.at_hand import Side, is_content, read_now
from notarium.explaining.causes import causes_of_runs, chance
from notarium.explaining.comparison import compare
from notarium.explaining.content import content_differences
from notarium.explaining.lines import Difference, packages_of
from notarium.explaining.rewriting import compared, hint, is_pickle, proven
from notarium.explaining.sightings import Sighting, Sightings
from notarium.explaining.why import Certainty, Explanation, Why
from notarium.naming import record_of
from notarium.observing.distributions import observe_packages
from notarium.project import find_root
from notarium.verifying.locating import locate
from notarium.verifying.result import FindingKind, Verification, VerificationStatus
from notarium_ledger.state.genesis import Genesis

MOST_EXPLAINED: Final = 5
"""Files of one verdict."""
_NAMED: Final = 5


def explain(result: Verification, genesis: Genesis, folder: Path | None = None) -> list[Why]:
    """For a mismatch: why, file by file. Empty for any other result, and where the record itself does not hold.

    `folder`: that was asked about. Other anchors are looked for in there, or in the project around the receipt.
    """
    if result.status is not VerificationStatus.MISMATCH or result.receipt is None:
        return []
    place = Path(result.receipt_path)
    try:
        record = read_record(record_of(place), result.receipt.entry)
    except (OSError, InvalidRecordFile):
        return []
    named = _named(record, place)
    extra = [Path(each.path) for each in result.findings if each.what is FindingKind.EXTRA]
    sightings = Sightings(_root(place, folder), genesis)
    found = []
    for finding in result.findings:
        if finding.what in (FindingKind.CHANGED, FindingKind.MISSING) and finding.path in named:
            found.append(_File(Side(record, place), *named[finding.path], Path(finding.path), sightings).why(extra))
        if len(found) == MOST_EXPLAINED:
            break
    return found


@dataclass(frozen=True, slots=True)
class _File:
    """One file that a record names and that is not what it was."""

    side: Side
    artifact: Artifact
    item: Item
    path: Path
    sightings: Sightings

    def why(self, extra: Sequence[Path]) -> Why:
        """`extra`: files that are there and were not part of it."""
        if not self.path.exists():
            renamed = self._renamed(extra)
            return Why(str(self.path), "", (renamed,) if renamed else ())
        seen = self.sightings.of(self.path)
        now, original = read_now(self.path), self.side.recorded(self.artifact, self.item)
        changes: tuple[Difference, ...] = ()
        if now is not None and original is not None:
            changes = tuple(content_differences(self.artifact.name, original, now))
        return Why(str(self.path), self._since(seen), tuple(self._causes(now, original, seen)), changes)

    def _causes(self, now: bytes | None, original: bytes | None, seen: Sequence[Sighting]) -> list[Explanation]:
        """The surest first; a proven one needs no other."""
        found: list[Explanation] = []
        if now is not None:
            sure = proven(now, self.item) or (original is not None and compared(self.path.name, original, now)) or None
            if sure is not None:
                return [sure]
        other = self._now_as(seen)
        if other is not None:
            found.append(Explanation("another anchor's content", Certainty.PROVEN, f"it is what {other} recorded"))
            if other.record.kind == self.side.record.kind == "run":
                comparison = compare(self.side, Side(other.record, other.place))
                return [*found, *causes_of_runs(self.side.record, other.record, comparison.differences)]
        guess = None if now is None else hint(self.path.name, now)
        if guess is not None:
            found.append(guess)
        if self.artifact.role == "output" or (now is not None and is_pickle(now)):
            found += chance(self.side.record.facts)
            found += _libraries(self.side.record.facts)
        return found

    def _now_as(self, seen: Sequence[Sighting]) -> Sighting | None:
        """The anchor that recorded what is here now."""
        digests = {each.item.sha256 for each in seen if each.item.sha256 != self.item.sha256}
        if not digests:
            return None
        now = hash_path(self.path).sha256 if self.path.is_file() else ""
        return next((each for each in seen if now and each.item.sha256 == now), None)

    def _since(self, seen: Sequence[Sighting]) -> str:
        """The last anchor that saw the recorded content, and the first later one that did not."""
        same = [each for each in seen if each.item.sha256 == self.item.sha256]
        if not same:
            return ""
        last = same[-1]
        other = next((each for each in seen if each.receipt.index > last.receipt.index), None)
        if other is None:
            return f"unchanged until {last}, which recorded it; changed after that"
        return f"unchanged until {last}; {other} recorded other content"

    def _renamed(self, extra: Sequence[Path]) -> Explanation | None:
        """Whether the same file is there under another name."""
        for path in extra:
            if path.parent.resolve() == self.path.parent.resolve() or path.stat().st_size == self.item.size:
                data = read_now(path)
                if data is not None and is_content(data, self.item):
                    what, text = _naming(self.path.name, path.name)
                    return Explanation(what, Certainty.PROVEN, f"the same content is there as {path}; {text}")
        return None


def _root(place: Path, folder: Path | None) -> Path:
    """Where other anchors are looked for: the user's project, or what somebody sent."""
    project = find_root(Path.cwd())
    if project is not None and place.resolve().is_relative_to(project.resolve()):
        return project
    return folder if folder is not None and folder.is_dir() else place.parent


def _naming(before: str, now: str) -> tuple[str, str]:
    """How two names differ."""
    if unicodedata.normalize("NFC", before) == unicodedata.normalize("NFC", now):
        form = "NFC" if unicodedata.is_normalized("NFC", now) else "NFD"
        return "normal form of the name", f"the names look alike, and this one is in the form {form}"
    if before.casefold() == now.casefold():
        return "case of the name", "the names differ in capitals only"
    return "renamed", "its name is another one"


def _libraries(facts: Mapping[str, Any]) -> list[Explanation]:
    """Packages whose version here is not the recorded one: whatever wrote the file may have used these."""
    recorded = packages_of(facts)
    here = packages_of({"environment": {"packages": observe_packages([])}}) if recorded else {}
    changed = [
        f"{name} {version} → {here.get(name, 'not installed')}"
        for name, version in recorded.items()
        if here.get(name) != version
    ]
    if not changed:
        return []
    more = f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
    text = f"installed here are other versions than those recorded: {', '.join(changed[:_NAMED])}{more}"
    return [Explanation("library version", Certainty.POSSIBLE, text)]


def _named(record: Record, place: Path) -> dict[str, tuple[Artifact, Item]]:
    """The files of a record by their paths, as findings name them."""
    found: dict[str, tuple[Artifact, Item]] = {}
    for artifact in record.artifacts:
        if (location := locate(artifact, record, place)) is not None:
            found |= {str(location / item.path if item.path else location): (artifact, item) for item in artifact.items}
    return found
