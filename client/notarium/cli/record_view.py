"""How a record looks: what was committed to, section by section, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from notarium.evidence.artifact import Artifact
from notarium.evidence.record import Record
from notarium.explaining.files import item_text
from notarium.explaining.lines import Part, lines_of, packages_of, value_text
from notarium.explaining.metrics import Course, course_of
from notarium.ledger_access.answers import VerifiedReceipt

SHOWN: Final = 40
"""Lines of one section; --json has all."""
_MAX_VALUE: Final = 120
_SECTIONS: Final = (
    (Part.OUTCOME, "outcome"),
    (Part.PARAMETER, "parameters"),
    (Part.SEED, "seeds"),
    (Part.DETERMINISM, "determinism"),
    (Part.CODE, "code"),
    (Part.DEVICE, "devices"),
    (Part.ENVIRONMENT, "environment"),
    (Part.FACT, "facts"),
)

Section = tuple[str, list[str]]


def sections_of(record: Record, receipt: VerifiedReceipt | None, names: Mapping[bytes, str]) -> Iterator[Section]:
    """(title, lines) of each part of a record that holds anything. `names`: of entries that it may refer to."""
    facts, lines = record.facts, lines_of(record.facts)
    found: dict[str, list[str]] = {"files": [line for each in record.artifacts for line in _artifact(each)]}
    for part, title in _SECTIONS:
        found[title] = [_row(name, value_text(value)) for (of, name), value in lines.items() if of is part]
        if part is Part.OUTCOME:
            found[title] += [_row(name, str(facts[name])) for name in ("started", "ended") if name in facts]
            found["metrics"] = [_course(each) for each in course_of(facts).values()]
    if packages := packages_of(facts):
        versions = ", ".join(f"{name} {version}" for name, version in packages.items())
        found["packages"] = [f"{len(packages)}: {versions}"]
    gaps = facts.get("gaps")
    found["gaps"] = [str(each) for each in gaps] if isinstance(gaps, list) else []
    found["lineage"] = _lineage(receipt, names)
    yield from ((title, _limited(rows)) for title, rows in found.items() if rows)


def _artifact(each: Artifact) -> Iterator[str]:
    size = f"{each.content.size:,} bytes"
    if not each.is_folder:
        yield f"{each.role} {each.name}  {size} · sha256 {each.sha256[:16]}…"
        return
    yield f"{each.role} {each.name}/  {len(each.items):,} files, {size} · sha256 {each.sha256[:16]}…"
    for item in each.items[:SHOWN]:
        yield f"  {item.path}  " + (f"{item.size:,} bytes" if item.sha256 else item_text(item))
    if len(each.items) > SHOWN:
        yield f"  … and {len(each.items) - SHOWN:,} more"


def _course(each: Course) -> str:
    line = each.sparkline()
    count = len(each.values)
    return f"{each.name}  {each.last}" + (f"  {line}  {count:,} numbers" if count > 1 else "")


def _lineage(receipt: VerifiedReceipt | None, names: Mapping[bytes, str]) -> list[str]:
    """What the entry refers to, by the name that it has here."""
    found = []
    for ref in () if receipt is None else receipt.body.get("refs", ()):
        name = names.get(bytes(ref["entry"]))
        found.append(" ".join(filter(None, (ref["rel"], name, f"{ref['entry'].hex()[:16]}…"))))
    return found


def _row(name: str, value: str) -> str:
    shown = value if len(value) <= _MAX_VALUE else f"{value[:_MAX_VALUE]}… ({len(value):,} characters)"
    return f"{name}  {shown}" if name else shown


def _limited(rows: Sequence[str]) -> list[str]:
    if len(rows) <= SHOWN * 2:
        return list(rows)
    return [*rows[: SHOWN * 2], f"… and {len(rows) - SHOWN * 2:,} more (--json lists all)"]


def as_document(record: Record) -> dict[str, Any]:
    """For --json: the record as it was read."""
    return {
        "kind": record.kind,
        "author": record.author and record.author.to_json(),
        "artifacts": [each.to_json() for each in record.artifacts],
        "facts": dict(record.facts),
    }
