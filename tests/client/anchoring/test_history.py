"""The state today of everything that was signed from a project."""

import pytest

from notarium.anchoring.anchor import anchor
from notarium.anchoring.history import CommitmentState, history
from notarium.anchoring.outbox import outbox_of
from notarium.key_files import create_key


@pytest.fixture
def write(project):
    def write_file(name, text="1"):
        (project.root / name).write_text(text)
        return anchor(project.root / name, project=project, timeout=0.3)

    return write_file


def states(project):
    return [(each.line.receipt, each.state) for each in history(project)]


def test_each_state_is_distinguished(project, home, nodes, write):
    assert states(project) == []
    write("a")
    write("a", "2")
    write("lost")
    (project.root / "lost.receipt.json").unlink()
    (home / "keys" / "test.key").unlink()
    create_key(home / "keys" / "test.key")
    write("refused")
    nodes[0].stop()
    write("pending")
    assert states(project) == [
        ("a.receipt.json", CommitmentState.SUPERSEDED),
        ("a.receipt.json", CommitmentState.ANCHORED),
        ("lost.receipt.json", CommitmentState.NO_RECEIPT),
        ("refused.receipt.json", CommitmentState.REFUSED),
        ("pending.receipt.json", CommitmentState.PENDING),
    ]
    for each in outbox_of(project).list():
        outbox_of(project).remove(each.id)
    assert [state for _, state in states(project)][-2:] == [CommitmentState.NO_RECEIPT] * 2
