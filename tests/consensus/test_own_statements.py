"""Own signatures in a ring of rounds: what is remembered, and what of the rest is news."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from tests.consensus.harness import Bench, Club

from notarium_consensus.events import OwnSignatureSeen
from notarium_consensus.justification import Prepared
from notarium_consensus.messages import encode_message
from notarium_consensus.own_statements import ROUNDS_RECORDED, OwnStatements
from notarium_consensus.signing_record import PREPARED_KEY, PROPOSAL_KEY, decode_record
from notarium_ledger.blocks.statements import StatementKind

CLUB = Club()
BLOCK, OTHER = CLUB.block(1), CLUB.block(1, b"ok another")
PREPARE, COMMIT, CHANGE = StatementKind.PREPARE, StatementKind.COMMIT, StatementKind.ROUND_CHANGE
MIB = 1 << 20


def after(rounds: int, lock_round: int | None = None) -> OwnStatements:
    """A ROUND-CHANGE in each of `rounds` rounds, and a lock."""
    said = OwnStatements(CLUB.height)
    for round_ in range(1, rounds + 1):
        said.add(CLUB.signed_change(0, round_))
    if lock_round is not None:
        said.lock = Prepared(lock_round, BLOCK, CLUB.prepares((0, 1, 2), lock_round, BLOCK))
    return said


def test_a_later_round_takes_the_slot_of_the_one_a_ring_before():
    said = after(ROUNDS_RECORDED)
    assert said.get(1, CHANGE) == CLUB.signed_change(0, 1)
    assert not said.is_free(1, CHANGE)
    said.add(CLUB.signed_change(0, 1 + ROUNDS_RECORDED))
    assert said.get(1, CHANGE) is None
    assert not said.is_free(1, CHANGE), "forgotten, but nothing is signed in a round that was left"
    assert said.is_free(2 + ROUNDS_RECORDED, CHANGE)
    assert said.latest_round == 1 + ROUNDS_RECORDED


def test_within_the_ring_whatever_is_not_there_is_news():
    said = after(40)
    assert not said.is_news(CLUB.signed_change(0, 9))
    assert said.is_news(CLUB.signed_change(0, 9, (0, BLOCK))), "signed twice"
    for kind in (PREPARE, COMMIT):
        assert said.is_news(CLUB.vote(kind, 0, 9, BLOCK))
        assert said.is_news(CLUB.vote(kind, 0, 41, BLOCK))
    assert said.is_news(CLUB.after(BLOCK).prepare(0, 0, BLOCK)), "of another height"
    assert after(0).is_news(CLUB.prepare(0, 0, BLOCK))


def test_before_the_ring_only_a_commit_that_the_lock_does_not_make_up_for_is_news():
    for said in (after(40), after(40, 3)):
        assert not said.is_news(CLUB.prepare(0, 8, BLOCK))
        assert not said.is_news(CLUB.proposal(0, 8, BLOCK))
        assert not said.is_news(CLUB.change(0, 8))
        assert said.is_news(CLUB.commit(0, 8, BLOCK))
    for said in (after(40, 8), after(40, 9), after(40, 40)):
        assert not said.is_news(CLUB.commit(0, 8, BLOCK))
    assert after(40, 8).is_news(CLUB.commit(0, 8, OTHER)), "two blocks were prepared in one round"


def test_a_forgotten_commit_is_known_by_the_lock_that_it_demands():
    assert after(40, 8).has_committed(8)
    assert not after(40, 8).has_committed(9), "the ring covers it"
    assert not after(40, 7).has_committed(8)
    assert not after(40).has_committed(8)


def locked(rounds: int, size_bytes: int) -> Bench:
    """A validator locked on a large block in round 0, after `rounds` rounds that failed."""
    bench = Bench(own=0)
    block = bench.club.block(1, b"ok" + bytes(size_bytes))
    bench.accept(bench.club.proposal(1, 0, block))
    bench.receive(*bench.club.prepares((1, 2, 3), 0, block))
    for round_ in range(1, rounds + 1):
        bench.receive(*(bench.club.change(signer, round_, (0, block), by=(1, 2, 3)) for signer in (1, 2)))
    assert (bench.engine.round, bench.engine.prepared_round) == (rounds, 0)
    return bench


def test_the_own_messages_of_a_height_are_bounded_on_the_disk_and_in_memory():
    """60 failed rounds with a lock of 2 MiB took 150 MiB when each ROUND-CHANGE was kept whole."""
    bench = locked(60, 2 * MIB)
    most = 2 * (2 * MIB) + 64 * 1024
    assert sum(map(len, bench.disk.values())) < most, "the lock, the latest proposal, and small statements"
    instance = bench.engine._instance
    assert instance is not None
    whole = [message for round_ in range(61) for message in instance.own.of_round(round_)]
    assert sum(len(encode_message(message)) for message in whole) < most, "one round change, one proposal"
    assert len(decode_record(bench.disk, 1).statements) <= 4 * ROUNDS_RECORDED


def test_a_proposer_keeps_its_latest_proposal_whole():
    bench = locked(9, MIB)
    changes = [bench.club.change(signer, 11, by=(1, 2, 3)) for signer in (1, 2, 3)]
    bench.receive(*changes)
    assert bench.engine.round == 11, "validator 0 proposes in round 11"
    assert bench.sent(StatementKind.PROPOSAL)
    assert sum(len(value) for key, value in bench.disk.items() if key in (PROPOSAL_KEY, PREPARED_KEY)) < 3 * MIB


def test_after_many_rounds_a_restart_goes_on_and_old_words_of_ours_alarm_nobody():
    bench = locked(60, 100)
    block = bench.club.block(1, b"ok" + bytes(100))
    again = Bench(own=0, record=bench.disk, record_height=1)
    assert (again.engine.round, again.engine.prepared_round) == (60, 0)
    assert again.sent() == [bench.club.change(0, 60, (0, block), by=(0, 1, 2)).by_hash()]
    peer = again.club.keys[1].public
    for member in (bench, again):
        member.receive(member.club.commit(0, 0, block), peer=peer)
        member.receive(member.club.change(2, 61, (0, block), by=(0, 1, 2)))
        assert member.engine.is_voting
    again.receive(again.club.commit(0, 1, block), peer=peer)
    assert again.events(OwnSignatureSeen) == [OwnSignatureSeen(1)], "a COMMIT of a later round than the lock's"
