"""Which messages of the current height are kept, and what is verified for that."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.consensus.harness import Bench, Club, count_verifications

from notarium_consensus.events import ProtocolViolation


def test_a_flood_of_rounds_and_hashes_by_one_validator_keeps_two_slots_a_kind():
    """Mistake 7."""
    bench = Bench(own=0)
    club = bench.club
    blocks = [club.block(1, f"ok {number}".encode()) for number in range(30)]
    for round_, block in enumerate(blocks):
        bench.receive(club.prepare(1, round_, block), club.commit(1, round_, block), club.change(1, round_ + 1))
    inbox = bench.inbox()
    assert [len(keeper) for keeper in (inbox.prepares, inbox.commits, inbox.round_changes)] == [2, 2, 2]
    assert bench.engine.round == 0


@pytest.mark.parametrize("kind", ["prepare", "commit", "proposal", "round change"])
def test_wrong_signatures_and_strangers_are_violations_of_the_peer_that_hands_them_over(kind):
    bench = Bench(own=0)
    stranger, club = Club(5), bench.club
    outsider = next(n for n, key in enumerate(stranger.keys) if key.public not in club.validators)
    block = club.block(1)
    peer = club.keys[3].public
    messages: dict[str, tuple[Any, Any]] = {
        "prepare": (club.prepare(1, 0, block), stranger.prepare(outsider, 0, block)),
        "commit": (club.commit(1, 0, block), stranger.commit(outsider, 0, block)),
        "proposal": (club.proposal(1, 0, block), stranger.proposal(outsider, 0, block)),
        "round change": (club.change(1, 1), stranger.change(outsider, 1)),
    }
    good, foreign = messages[kind]
    if kind == "round change":
        bad = replace(good, signed=replace(good.signed, signature=club.commit(1, 0, block).signature))
    else:
        bad = replace(good, signature=club.change(1, 1).signature)
    for message in (bad, foreign):
        bench.receive(message, peer=peer)
        assert [violation.peer for violation in bench.events(ProtocolViolation)] == [peer]
        assert len(bench.effects) == 1, "and it makes no block due"


def test_what_would_not_be_kept_is_not_verified(monkeypatch):
    bench = Bench(own=0)
    club, block = bench.club, bench.club.block(1)
    bench.receive(*(club.commit(1, round_, block) for round_ in (8, 9)))
    bench.receive(club.change(1, 5), club.change(2, 5))
    assert bench.engine.round == 5
    calls = count_verifications(monkeypatch)
    bench.receive(club.commit(1, 7, block), club.prepare(1, 4, block), club.change(3, 4))
    bench.receive(club.proposal(1, 4, block))
    assert calls == []
