"""A decided header has exactly one chain of handovers that proves it, whatever the validators have been."""

from dataclasses import replace
from itertools import compress, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.consortium import Consortium, fake_certificate, key

from notarium_ledger.entries.entry import Entry
from notarium_ledger.errors import InvalidSnapshot
from notarium_ledger.trust.chain import ChainVerifier, DecidedHeader, Handover, InvalidChain
from notarium_ledger.trust.snapshot import Snapshot

KEYS = [key(f"handovers {number}") for number in range(3)]
HISTORIES = st.lists(st.none() | st.sampled_from(range(3)), min_size=1, max_size=7)
"""Of each block the validator key that it makes the next one; None, or the present key: none is changed."""


def history(blocks: list[int | None]) -> tuple[Consortium, list[Handover], Snapshot]:
    """All decided blocks as if each handed over, and the state after the last one with its proof."""
    consortium = Consortium(1)
    consortium.keys_by_public.update({each.public: each for each in KEYS})
    state, decided, real = consortium.state, [], []
    for number in [*blocks, None]:
        entry: Entry = consortium.entry()
        if number is not None and KEYS[number].public not in state.registry.nodes:
            new = KEYS[number]
            node = {"member": "m0", "role": "validator", "key": bytes(new.public), "address": "a:1"}
            action = {"type": "set-node", "node": {**node, "certificate": fake_certificate(new)}}
            entry = consortium.entry(consortium.member_body("propose", action=action))
        before = state
        decision, transition = consortium.decide(state, [entry])
        state = transition.state
        decided.append(Handover(transition.header, decision.certificate, state.registry.validators))
        if state.registry.validators != before.registry.validators:
            real.append(decided[-1])
    last = decided.pop()
    return consortium, decided, Snapshot.of(state, DecidedHeader(last.header, last.certificate, tuple(real)))


@settings(max_examples=60)
@given(HISTORIES)
def test_of_all_chains_of_decided_blocks_exactly_one_proves_a_header(blocks: list[int | None]) -> None:
    consortium, candidates, snapshot = history(blocks)
    verifier, proving = ChainVerifier(consortium.genesis), []
    for chosen in product((False, True), repeat=len(candidates)):
        tried = replace(snapshot.decided, handovers=tuple(compress(candidates, chosen)))
        try:
            verifier.verify(tried)
        except InvalidChain:
            continue
        proving.append(tried)
    assert proving == [snapshot.decided]


@settings(max_examples=60)
@given(HISTORIES)
def test_a_state_that_a_snapshot_gives_goes_on_as_the_one_that_made_it(blocks: list[int | None]) -> None:
    consortium, _, snapshot = history(blocks)
    taken = Snapshot.decode(snapshot.encode()).verify(consortium.genesis)
    expected = snapshot.decided.handovers[-1].header.height + 1 if snapshot.decided.handovers else 1
    assert taken.since == expected
    for number in range(len(snapshot.decided.handovers)):
        left_out = [each for at, each in enumerate(snapshot.decided.handovers) if at != number]
        shorter = replace(snapshot, decided=replace(snapshot.decided, handovers=tuple(left_out)))
        with pytest.raises(InvalidSnapshot) as caught:
            shorter.verify(consortium.genesis)
        assert caught.value.step in (3, 4)
