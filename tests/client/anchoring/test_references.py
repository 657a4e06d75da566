"""A reference by id, by receipt file, or by an artifact with a receipt beside it."""

import pytest

from notarium.anchoring.anchor import anchor
from notarium.anchoring.commit import Ref
from notarium.anchoring.earlier import Earlier
from notarium.anchoring.outbox import Outbox
from notarium.anchoring.references import reference
from notarium.errors import ProjectError


def test_every_way_to_name_an_entry_is_the_same_reference(study, project, ledger):
    [entry] = ledger.entries
    expected = Ref("derivedFrom", entry.id)
    for target in (entry.id, entry.id.hex(), "data", study / "data", "data.receipt.json"):
        assert reference(project, "derivedFrom", target) == expected


def test_what_waits_in_the_outbox_can_be_referred_to(project, nodes):
    (project.root / "x").write_text("x")
    nodes[0].stop()
    pending = anchor("x", project=project, timeout=0.3)
    assert reference(project, "derivedFrom", "x").entry.hex() == pending.id


def test_what_is_delivered_between_two_looks_is_found(study, project, ledger, monkeypatch):
    """A start is sent in the background: the run's end looked for its receipt too early, and in the outbox too late."""
    [entry] = ledger.entries
    receipt, away = study / "data.receipt.json", study / "not yet"
    receipt.rename(away)

    def find(outbox, place):
        away.rename(place)

    for look in (lambda: reference(project, "ends", "data").entry, lambda: Earlier.find(project, receipt).id):
        monkeypatch.setattr(Outbox, "find", find)
        assert look() == entry.id
        receipt.rename(away)


def test_what_has_no_valid_receipt_is_refused(study, project):
    (study / "x").write_text("x")
    (study / "x.receipt.json").write_text("{}")
    for target in ("x", "nowhere", "zz" * 32):
        with pytest.raises(ProjectError, match="is not an entry id, and there is no valid receipt "):
            reference(project, "derivedFrom", target)
