"""The eleven situations that matter, as transcripts in prose that are reviewed as diffs (tests/consensus/transcripts).

`NOTARIUM_UPDATE_TRANSCRIPTS=1` makes these tests write the files instead of comparing with them.
"""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.consensus.harness import DELAY_MS, PRECISION_MS, Bench
from tests.consensus.transcript import Transcript

from notarium_consensus.inputs import Advance, CertificateSeen, WorkPending
from notarium_consensus.permission import Permission
from notarium_consensus.rules import Rule
from notarium_ledger.blocks.block import Block

FOLDER = Path(__file__).parent / "transcripts"
UPDATE = "NOTARIUM_UPDATE_TRANSCRIPTS"


def begin(title: str, own: int = 0, **how: object) -> tuple[Transcript, Bench]:
    """An engine of validator `own` of four at height 1, where v1 proposes in round 0, v2 in round 1, and so on."""
    transcript = Transcript(title)
    bench = transcript.attach(Bench(own=own, advance=False, **how))
    bench.advance()
    return transcript, bench


def restarted(transcript: Transcript, bench: Bench) -> Bench:
    """The process of `bench` ends, and a new one begins with what is on its disk."""
    transcript.remark("The process is killed and starts again, with what is on the disk.")
    again = transcript.attach(Bench(own=bench.own, record=bench.disk, record_height=1, advance=False))
    again.advance()
    return again


def happy_path() -> Transcript:
    transcript, bench = begin("The happy path, at the proposer v1", own=1)
    club, block = bench.club, bench.club.block(1)
    bench.step(WorkPending())
    bench.built(block)
    bench.receive(club.prepare(0, 0, block), club.prepare(2, 0, block))
    bench.receive(club.commit(0, 0, block), club.commit(2, 0, block))
    return transcript


def dead_proposer() -> Transcript:
    transcript, bench = begin("A dead proposer, seen by the next one, v2", own=2)
    club, block = bench.club, bench.club.block(2)
    bench.step(WorkPending())
    transcript.remark("v1, which proposes in round 0, is silent.")
    bench.timeout()
    bench.receive(club.change(0, 1), club.change(3, 1))
    bench.built(block, 1)
    return transcript


def locked_block_carried_over() -> Transcript:
    transcript, bench = begin("A locked block is carried over to the next round, by its proposer v2", own=2)
    club, block = bench.club, bench.club.block(1)
    bench.accept(club.proposal(1, 0, block))
    bench.receive(club.prepare(0, 0, block), club.prepare(1, 0, block))
    transcript.remark("The commits of the others are lost.")
    bench.timeout()
    bench.receive(club.change(0, 1), club.change(3, 1))
    transcript.remark("v2 proposed the block of its lock, no fresh one.")
    bench.receive(club.prepare(0, 1, block), club.prepare(3, 1, block))
    bench.receive(club.commit(0, 1, block), club.commit(3, 1, block))
    return transcript


def two_rounds_committed_apart() -> Transcript:
    transcript, bench = begin("Commits of one block come from two rounds: they are never counted together")
    club, block = bench.club, bench.club.block(1)
    bench.accept(club.proposal(1, 0, block))
    bench.receive(club.prepare(1, 0, block), club.prepare(2, 0, block))
    bench.receive(club.commit(1, 0, block))
    transcript.remark("v0 and v1 have committed in round 0. The others go on to round 1, with the block of the lock.")
    bench.receive(club.change(2, 1), club.change(3, 1))
    changes = [club.signed_change(1, 1, (0, block)), club.signed_change(2, 1), club.signed_change(3, 1)]
    bench.accept(club.proposal(2, 1, block, changes, club.prepares((0, 1, 2), 0, block)))
    bench.receive(club.commit(2, 1, block))
    transcript.remark("Three validators have committed to block A, but no three of them in one round.")
    bench.receive(club.commit(3, 1, block))
    transcript.remark("The third commit of round 0 decides, by the votes of round 0 alone.")
    bench.receive(club.commit(2, 0, block))
    return transcript


def restart_in_mid_commit() -> Transcript:
    transcript, bench = begin("A restart after the COMMIT was written")
    club, block = bench.club, bench.club.block(1)
    bench.accept(club.proposal(1, 0, block))
    bench.receive(club.prepare(1, 0, block), club.prepare(2, 0, block))
    again = restarted(transcript, bench)
    transcript.remark("It is asked to vote for another block in the same round, and does not.")
    again.accept(club.proposal(1, 0, club.block(1, b"ok another")))
    again.checked(block)
    transcript.remark("The commits of the others decide what it committed to.")
    again.receive(club.commit(1, 0, block), club.commit(2, 0, block))
    return transcript


def wrong_entries_under_a_good_header() -> Transcript:
    transcript, bench = begin("A proposal with wrong entries under a good header, and the good copy later")
    club, block = bench.club, bench.club.block(1)
    wrong = Block(block.header, (b"ok wrong",))
    transcript.remark(f"v1 sends {transcript.block(block)} to v2 and v3, and other entries under its header to v0.")
    bench.receive(club.proposal(1, 0, wrong))
    bench.checked(wrong, False, "tree root")
    bench.receive(*club.prepares((1, 2, 3), 0, block))
    transcript.remark("Their round change carries the good copy.")
    bench.receive(club.change(2, 1, (0, block), by=(1, 2, 3)), club.change(3, 1, (0, block), by=(1, 2, 3)))
    changes = [club.signed_change(0, 1), *(club.signed_change(number, 1, (0, block)) for number in (2, 3))]
    bench.accept(club.proposal(2, 1, block, changes, club.prepares((1, 2, 3), 0, block)))
    return transcript


def jump_by_round_changes() -> Transcript:
    transcript, bench = begin("f+1 validators are in later rounds: go to the lowest of these")
    club = bench.club
    bench.receive(club.change(2, 3))
    transcript.remark("One alone may lie; of two one is honest.")
    bench.receive(club.change(3, 5))
    bench.receive(club.change(1, 3))
    return transcript


def jump_by_a_proposal() -> Transcript:
    transcript, bench = begin("A justified proposal of a later round: go there")
    club, block = bench.club, bench.club.block(3)
    transcript.remark("Without a justification it moves nobody.")
    bench.receive(club.proposal(3, 2, block))
    bench.receive(club.proposal(3, 2, block, [club.signed_change(number, 2) for number in (1, 2, 3)]))
    bench.checked(block)
    return transcript


def equivocating_validator() -> Transcript:
    transcript, bench = begin("A validator signs two different things")
    club, block, other = bench.club, bench.club.block(1), bench.club.block(1, b"ok another")
    bench.accept(club.proposal(1, 0, block))
    transcript.remark("v1 proposes once more. There is one report a validator, kind and height.")
    bench.receive(club.proposal(1, 0, other))
    bench.receive(club.prepare(3, 0, block), club.prepare(3, 0, other), club.prepare(3, 0, other))
    transcript.remark("Its vote counts once. A certificate that others show convicts as well.")
    bench.receive(club.prepare(2, 0, block))
    bench.receive(club.commit(3, 0, block))
    bench.step(CertificateSeen(club.decision(other, (1, 2, 3)).certificate))
    return transcript


def forgotten_signature_and_joining() -> Transcript:
    transcript, bench = begin("A forgotten signature of our own fences us, and a joining node begins to sign")
    club, block = bench.club, bench.club.block(1)
    transcript.remark(f"Our disk was rolled back: v1 has our prepare of {transcript.block(block)}, and we do not.")
    bench.receive(club.prepare(0, 0, block), peer=club.keys[1].public)
    bench.accept(club.proposal(1, 0, club.block(1, b"ok another")))
    again = restarted(transcript, bench)
    again.receive(club.proposal(1, 0, block))
    transcript.remark("The others decide. The next height is above the fence; there the node lacks blocks at first.")
    club = club.after(block)
    again.club, again.disk = club, {}
    tip = club.tip
    following = Advance(
        club.height, tip.hash, tip.time_ms, club.validators, PRECISION_MS, DELAY_MS, Permission(is_complete=False)
    )
    again.step(following)
    block = club.block(2)
    again.accept(club.proposal(2, 0, block))
    transcript.remark("It is complete. What it found out of content without the missing blocks counts for nothing.")
    again.step(replace(following, permission=Permission()))
    again.checked(block)
    return transcript


def absent_proposer() -> Transcript:
    transcript, bench = begin("A proposer that cannot be reached, seen by v0")
    club = bench.club
    bench.reach(1, 2, 3)
    bench.step(WorkPending())
    transcript.remark("The process of v1, which proposes in round 0, dies, and its connections end.")
    bench.reach(2, 3)
    bench.absence()
    transcript.remark("The others see the same, and v2 proposes long before the time of round 0 is over.")
    bench.receive(club.change(2, 1), club.change(3, 1))
    block = club.block(2)
    changes = [club.signed_change(signer, 1) for signer in (0, 2, 3)]
    bench.accept(club.proposal(2, 1, block, changes))
    return transcript


SITUATIONS: tuple[Callable[[], Transcript], ...] = (
    happy_path,
    dead_proposer,
    locked_block_carried_over,
    two_rounds_committed_apart,
    restart_in_mid_commit,
    wrong_entries_under_a_good_header,
    jump_by_round_changes,
    jump_by_a_proposal,
    equivocating_validator,
    forgotten_signature_and_joining,
    absent_proposer,
)


@pytest.mark.parametrize("number", range(1, len(SITUATIONS) + 1))
def test_the_transcript_is_as_reviewed(number: int) -> None:
    situation = SITUATIONS[number - 1]
    path = FOLDER / f"{number:02}_{situation.__name__}.txt"
    text = situation().text()
    if os.environ.get(UPDATE):
        path.write_text(text)
    assert text == path.read_text(), f"if the change is meant, set {UPDATE}=1, run again and review the diff"


def test_there_is_no_other_transcript() -> None:
    expected = {f"{number:02}_{situation.__name__}.txt" for number, situation in enumerate(SITUATIONS, 1)}
    assert {path.name for path in FOLDER.iterdir()} == expected


def test_the_transcripts_show_every_rule() -> None:
    texts = "".join(path.read_text() for path in FOLDER.iterdir())
    assert [rule for rule in Rule if rule.value not in texts] == []
