"""The outbox: what is put into it stays until it is removed."""

import json
import os
from dataclasses import replace

import pytest
from tests.support.consortium import Consortium

from notarium.anchoring.outbox import Elsewhere, Outbox, Waiting
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


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "notarium-outbox-1"}', '{"format": "2"}', None])
def test_a_damaged_file_is_named_and_hides_no_other(outbox, ledger, tmp_path, content):
    good, bad = waiting(ledger, tmp_path, 3, "a"), waiting(ledger, tmp_path, 5, "b")
    outbox.put(good)
    outbox.put(bad)
    path = tmp_path / "p" / ".notarium" / "outbox" / f"{bad.id}.json"
    path.unlink()
    if content is None:
        os.mkfifo(path)
    else:
        path.write_text(content)
    assert outbox.list() == [good]
    [damaged] = outbox.damaged()
    assert damaged.path == path
    assert "move it away" in str(damaged)
    for ask in (outbox.check, lambda: outbox.get(bad.id)):
        with pytest.raises(ProjectError, match=path.name):
            ask()


def test_a_file_under_the_name_of_another_entry_is_damaged(outbox, ledger, tmp_path):
    """It would be sent again and again, because what is removed has another name."""
    outbox.put(waiting(ledger, tmp_path))
    [path] = (tmp_path / "p" / ".notarium" / "outbox").iterdir()
    path.rename(path.with_name(f"{'0' * 64}.json"))
    assert outbox.list() == []
    assert "holds the entry" in outbox.damaged()[0].reason


def in_project(tmp_path, ledger, name="p"):
    root = tmp_path / name
    root.mkdir(exist_ok=True)
    elsewhere = Elsewhere(root, tmp_path / "state")
    return Outbox(root / ".notarium" / "outbox", ledger.consortium.genesis, elsewhere)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("../../../elsewhere.receipt.json", "outside the project"),
        ("/etc/elsewhere.receipt.json", "outside the project"),
        ("../../link/x.receipt.json", "outside the project"),
        ("../../data/../../x.receipt.json", "outside the project"),
        ("../../.bashrc", "no receipt"),
        ("../../x.receipt.json/y", "no receipt"),
        (f"../../{'d/' * 2100}x.receipt.json", "4096 bytes"),
        ("../../a\0.receipt.json", "NUL"),
        (7, "TypeError"),
    ],
)
def test_a_file_in_a_project_names_only_a_receipt_inside_it(ledger, tmp_path, place, said):
    outbox = in_project(tmp_path, ledger)
    (tmp_path / "out").mkdir()
    (tmp_path / "p" / "link").symlink_to(tmp_path / "out")
    outbox.put(waiting(ledger, tmp_path))
    [path] = (tmp_path / "p" / ".notarium" / "outbox").iterdir()
    path.write_text(json.dumps({**json.loads(path.read_text()), "receipt": place}))
    assert outbox.list() == []
    assert said in outbox.damaged()[0].reason


def test_what_belongs_outside_the_project_waits_in_the_users_own_folder(ledger, tmp_path):
    outbox, mine = in_project(tmp_path, ledger), tmp_path / "p" / ".notarium" / "outbox"
    outside = replace(waiting(ledger, tmp_path), receipt_path=tmp_path / "out" / "x.receipt.json")
    outbox.put(outside)
    assert outbox.list() == [outside]
    assert outbox.get(outside.id) == outside
    assert outbox.find(outside.receipt_path) == outside
    assert not mine.exists()
    inside = replace(outside, receipt_path=tmp_path / "p" / "x.receipt.json")
    outbox.put(inside)
    assert outbox.list() == [inside], "it is in one place only"
    outbox.put(outside)
    assert list(mine.iterdir()) == []
    outbox.remove(outside.id)
    assert outbox.list() == []
