"""Nodes are asked what other entries say: proven, bounded, and never instead of the verdict on the files."""

import pytest
from tests.client.fake_node import FakeLedger, problem
from tests.client.helpers import present, submit
from tests.support.consortium import Consortium

from notarium.anchoring.anchor import anchor
from notarium.errors import ProjectError
from notarium.ledger_access.blocking import BlockingClient
from notarium.verifying import asking
from notarium.verifying.asking import Asking
from notarium.verifying.marks import MarkKind
from notarium.verifying.result import VerificationStatus
from notarium.verifying.surroundings import Standing
from notarium.verifying.verification import verify


@pytest.fixture
def ledger():
    """Its researchers belong to m0, m1, m2 and m3."""
    return FakeLedger(Consortium(4, observers=1, researchers=4))


@pytest.fixture
def asker(project, node):
    with BlockingClient(project.genesis, [node.url], timeout=0.5) as client:
        yield Asking(client, (node.url,))


def retract(ledger, number, target, reason="wrong"):
    refs = [{"rel": "supersedes", "entry": bytes(target)}]
    return submit(ledger, number, kind="retraction", reason=reason, refs=refs)


def anchored(path, **options):
    """The result of verifying what is anchored, and its receipt."""
    result = verify(path, **options)
    return result, present(result.receipt)


def test_later_entries_are_found_on_the_ledger(data, ledger, asker, node):
    result, receipt = anchored(data)
    retract(ledger, 1, receipt.id)
    retract(ledger, 0, receipt.id)
    [asked] = asker.ask([result])
    assert asked.status is VerificationStatus.VERIFIED
    assert [each.standing for each in asked.around.later] == [Standing.MEMBER, Standing.AUTHOR]
    assert [each.kind for each in asked.marks] == [MarkKind.DISPUTED, MarkKind.RETRACTED]
    assert asked.to_json()["asked"] == [node.url]


def test_strangers_cannot_hide_what_the_author_says(data, ledger, asker, monkeypatch):
    monkeypatch.setattr(asking, "MOST_OTHERS", 3)
    result, receipt = anchored(data)
    for number in range(6):
        retract(ledger, 1, receipt.id, f"stranger {number}")
    retract(ledger, 0, receipt.id)
    [asked] = asker.ask([result])
    assert MarkKind.RETRACTED in {each.kind for each in asked.marks}
    assert asked.around.more
    assert len(asked.around.later) == 4


def test_a_reference_to_nothing_is_known_once_a_node_was_asked(project, ledger, asker, cli):
    ghost = "12" * 32
    (project.root / "review.md").write_text("fine")
    code, out, err = cli(
        "anchor", "review.md", "--kind", "review", "--set", "verdict=accept", "--ref", f"reviews={ghost}"
    )
    assert code == 0, out + err
    result = verify("review.md")
    assert result.marks == ()
    assert "that 1 entry to which it refers exist: nobody was asked" in Asking().ask([result])[0].parts.not_shown
    [asked] = asker.ask([result])
    assert not any("to which it refers" in each for each in asked.parts.not_shown)
    [mark] = asked.marks
    assert (mark.kind, f"reviews entry {ghost}, which no node knows" in mark.text) == (MarkKind.UNKNOWN, True)
    assert mark.text in asked.parts.gaps


def test_the_entries_at_hand_speak_about_each_other_without_a_node(data, project, ledger):
    result, receipt = anchored(data)
    entry = retract(ledger, 0, receipt.id)
    place = project.root / "r.receipt.json"
    place.write_bytes(ledger.decided[entry.id].encode_json())
    later = verify(place, receipt_only=True)
    first, second = Asking().ask([result, later])
    assert [each.kind for each in first.marks] == [MarkKind.RETRACTED]
    assert present(second.around).referred == {bytes(receipt.id): receipt}
    assert first.to_json()["asked"] == []
    assert any("no node was asked" in each for each in first.parts.not_shown)


def test_a_node_that_cannot_answer_is_asked_once_and_hides_no_verdict(data, project, node, asker):
    async def fail(request):
        return problem(500, "broken", "later entries are not served")

    (project.root / "more.csv").write_text("more")
    anchor(project.root / "more.csv", project=project, strict=True)
    node.fault = fail
    node.requests.clear()
    found = asker.ask([verify(data), verify("more.csv")])
    assert {each.status for each in found} == {VerificationStatus.VERIFIED}
    for each in found:
        assert any("no node could be asked" in line and "not served" in line for line in each.parts.not_shown)
    assert len(set(node.requests)) == 1, "about the first only"


def test_a_notebook_asks_where_it_is_asked_to(data, project, ledger, nodes):
    _, receipt = anchored(data)
    retract(ledger, 0, receipt.id)
    assert verify(data).marks == ()
    online = verify(data, online=True)
    assert [each.kind for each in online.marks] == [MarkKind.RETRACTED]
    assert "retracted by the author" in online._repr_html_()
    with pytest.raises(ProjectError, match="another ledger"):
        verify(data, Consortium(4, name="other").genesis, online=True)


def test_what_has_no_receipt_is_not_asked_about(project, node, asker):
    result = verify("nothing")
    assert asker.ask([result]) == [result]
    assert node.requests == []
