"""The outbox: what is put into it stays until it is removed."""

from dataclasses import replace

import pytest
from tests.support.consortium import Consortium

from notarium.anchoring.outbox import Outbox, Waiting
from notarium.errors import ProjectError


@pytest.fixture
def outbox(tmp_path, ledger):
    return Outbox(tmp_path / "p" / ".notarium" / "outbox", ledger.consortium.genesis)


def waiting(ledger, tmp_path, created_ms=5, name="x"):
    raw = ledger.consortium.raw(ledger.consortium.body("dataset"))
    return Waiting(raw, tmp_path / "p" / f"{name}.receipt.json", "dataset", created_ms)


def test_what_is_put_is_listed_oldest_first_until_removed(outbox, ledger, tmp_path):
    late, early = waiting(ledger, tmp_path, 9, "b"), waiting(ledger, tmp_path, 3, "a")
    outbox.put(late)
    outbox.put(early)
    outbox.put(replace(late, reason="no answer"))
    assert outbox.list() == [early, replace(late, reason="no answer")]
    assert outbox.find(tmp_path / "p" / "a.receipt.json") == early
    outbox.remove(early.id)
    outbox.remove(early.id)
    assert [each.id for each in outbox.list()] == [late.id]


def test_a_moved_project_still_knows_where_its_receipts_belong(outbox, ledger, tmp_path):
    outbox.put(waiting(ledger, tmp_path))
    (tmp_path / "p").rename(tmp_path / "q")
    [moved] = Outbox(tmp_path / "q" / ".notarium" / "outbox", ledger.consortium.genesis).list()
    assert moved.receipt_path == tmp_path / "q" / "x.receipt.json"


def test_entries_of_another_ledger_stay_where_they_are(outbox, ledger, tmp_path):
    outbox.put(waiting(ledger, tmp_path))
    other = Outbox(tmp_path / "p" / ".notarium" / "outbox", Consortium(4, name="other").genesis)
    assert other.list() == []
    assert len(outbox.list()) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "notarium-outbox-1"}', '{"format": "2"}'])
def test_a_damaged_outbox_file_is_named(outbox, ledger, tmp_path, content):
    outbox.put(waiting(ledger, tmp_path))
    [path] = (tmp_path / "p" / ".notarium" / "outbox").iterdir()
    path.write_text(content)
    with pytest.raises(ProjectError, match=path.name):
        outbox.list()
