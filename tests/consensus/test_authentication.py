"""Signatures are verified once each, and what is remembered of them is bounded."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from tests.consensus.harness import Bench, count_verifications

from notarium_consensus import authentication


def test_the_memory_of_verified_signatures_is_bounded(monkeypatch):
    monkeypatch.setattr(authentication, "CACHE_ENTRIES", 10)
    bench = Bench(own=0)
    for number in range(60):
        bench.receive(bench.club.prepare(1, number, bench.club.block(1)))
    authenticator = bench.engine._authenticator
    assert len(authenticator._current) <= 10
    assert len(authenticator._previous) <= 10
    bench.accept(bench.club.proposal(1, 0, bench.club.block(1)))
    assert bench.said() == ["PREPARE"]
    for _ in range(2):
        bench.advance(bench.club.after(bench.club.block(1)))
    assert len(authenticator._current) == len(authenticator._previous) == len(authenticator._own_statements) == 0


def test_votes_seen_alone_cost_nothing_inside_a_justification(monkeypatch):
    bench = Bench(own=0)
    club, block = bench.club, bench.club.block(1)
    bench.receive(*(club.prepare(signer, 0, block) for signer in (1, 2, 3)))
    calls = count_verifications(monkeypatch)
    bench.receive(club.change(1, 1, (0, block), by=(1, 2, 3)))
    assert len(calls) == 1
