"""The oracles must be able to fail: engines with one known mistake each are caught within a few seeds."""

from __future__ import annotations

import re

import pytest
from tests.simulation.checkers import SafetyViolation
from tests.simulation.disk import Disk
from tests.simulation.test_simulation import simulate

from notarium_consensus import instance, justification
from notarium_consensus.instance import Instance, Phase
from notarium_ledger.validators import ValidatorSet

SEEDS = range(1, 61)


def no_fsync(patch):
    """The runner sends without waiting for the disk."""
    patch.setattr(Disk, "sync", lambda self: None)


def amnesia(patch):
    """A restart forgets what was said (consensus notes, mistake 6)."""
    patch.setattr(Instance, "restore", lambda self, record: None)


def small_quorum(patch):
    """Half of the validators decide (mistake 1)."""
    patch.setattr(ValidatorSet, "quorum", property(lambda self: len(self) // 2))


def no_lock(patch):
    """A new round always gets a fresh block (mistake 4)."""
    patch.setattr(instance, "highest_prepared", lambda changes: None)
    patch.setattr(justification, "highest_prepared", lambda changes: None)


def votes_in_left_rounds(patch):
    """A node goes on voting after it has timed out (mistake 10)."""

    def keep_voting(self, round_):
        if round_ == self.round and self.due and self.phase is not Phase.DECIDED:
            message = self.signer.change_round(round_ + 1, self.prepared)
            if message is not None:
                self.inbox.admit_own(message, self.round)
            self._run()

    patch.setattr(Instance, "round_timeout", keep_voting)


def accepts_any_content(patch):
    """Validity: blocks are built of entries that nobody submitted."""
    patch.setattr("tests.simulation.node.Node.submit", lambda self, entry: self.mempool.setdefault(entry + b" forged"))


def commits_before_recording(patch):
    """The messages are recorded, the prepared block is not."""
    patch.setattr(instance, "encode_prepared", lambda prepared: b"")
    patch.setattr(instance, "PREPARED_KEY", b"other")


MISTAKES = {
    no_fsync: "persist before send",
    amnesia: "double vote|accuses|but has been in",
    small_quorum: "agreement|certificate",
    no_lock: "agreement|another block than the one committed",
    votes_in_left_rounds: "but has been in",
    accepts_any_content: "never submitted",
    commits_before_recording: "without its prepared block",
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_known_mistake_is_caught(mistake, monkeypatch):
    mistake(monkeypatch)
    found = []
    for seed in SEEDS:
        try:
            simulate(seed, 4)
        except SafetyViolation as violation:
            found.append(str(violation))
            break
        except (AssertionError, RuntimeError):
            continue  # no progress, or a storm: not what is looked for here
    assert found, f"{mistake.__doc__} went unnoticed"
    assert re.search(MISTAKES[mistake], found[0]), found[0]
