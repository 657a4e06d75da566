"""What a store answers while blocks below its snapshot are missing."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.store.joining import joined
from tests.support.consortium import digest
from tests.support.histories import History

from notarium_ledger.blocks.block import Decision
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.log.proofs import verify_consistency, verify_inclusion
from notarium_ledger.trust.receipt import ReceiptVerifier
from notarium_ledger.types import Height
from notarium_store import HistoryIncomplete, Store


def test_what_needs_missing_blocks_is_never_answered_with_not_found(path: Path, history: History) -> None:
    with joined(path, history, 3, 11, 14, filled=1) as store:
        entries = [raw for decision in history.decisions for raw in decision.block.entries]
        start, end = history.states[4].frontier.size, history.states[11].frontier.size
        lost = leaf_hash(entries[start])
        asked: list[Callable[[], object]] = [
            lambda: store.receipt(lost),
            lambda: store.entry_by_id(lost),
            lambda: store.entry(start),
            lambda: store.entry(end - 1),
            lambda: store.entries(start - 1, 2),
            lambda: store.entries(end - 1, 2),
            lambda: store.entries(0, end + 1),
            lambda: store.height_of(start),
            lambda: store.decision(Height(5)),
            lambda: store.decision_bytes(Height(11)),
            lambda: store.stored_header(Height(11)),
            lambda: store.decided_header(Height(10)),
            lambda: store.find(digest("artifact"), 10),
            lambda: store.size_before(history.states[8].time_ms),
            lambda: store.inclusion(start, end),
            lambda: store.inclusion(0, end),
            lambda: store.consistency(start, end),
            lambda: store.root(start + 1),
            lambda: store.node(0, start),
            lambda: store.nodes(0, start - 1, 2),
        ]
        for ask in asked:
            with pytest.raises(HistoryIncomplete, match="holds the blocks up to 4 and from 12 on") as caught:
                ask()
            assert (caught.value.history_height, caught.value.base_height) == (4, 11)
            assert "ask again later, or ask another node" in str(caught.value)
        assert store.position(lost) is None
        with pytest.raises(IndexError):
            store.entry(store.state.frontier.size)
        assert store.decision(Height(15)) is None
        assert store.decision(Height(0)) is None


def test_what_does_not_need_them_is_answered_at_once(path: Path, history: History) -> None:
    verifier = ReceiptVerifier(history.consortium.genesis)
    with joined(path, history, 3, 11, 14, filled=1) as store:
        _check_known(store, history, verifier)
    with Store.open(path, history.consortium.genesis) as store:
        _check_known(store, history, verifier)


def _check_known(store: Store, history: History, verifier: ReceiptVerifier) -> None:
    base, tip = history.states[11].frontier, history.states[14].frontier
    decided = store.decided_header(Height(11))
    assert decided is not None
    verifier.verify_header(decided)
    index = 0
    for height in range(1, 15):
        for raw in history.decision(height).block.entries:
            if height <= 4 or height > 11:
                receipt = store.receipt(leaf_hash(raw))
                assert receipt is not None
                assert verifier.verify(receipt).index == index
                assert store.entry(index) == raw
                assert store.is_in_history(leaf_hash(raw)) is (height <= 4)
            if height > 11:
                path = store.inclusion(index, tip.size)
                verify_inclusion(leaf_hash(raw), index, tip.size, path, tip.root())
            index += 1
    for size in range(base.size, tip.size + 1):
        path = store.consistency(size, tip.size)
        verify_consistency(size, store.root(size), tip.size, tip.root(), path)
    early = history.states[4].frontier
    verify_inclusion(store.node(0, 1), 1, early.size, store.inclusion(1, early.size), early.root())
    assert store.find(digest("artifact"), 10, after=base.size - 1) == []


def test_receipts_given_out_meanwhile_never_change(path: Path, history: History) -> None:
    """The blocks that come in may carry other seals than the snapshot did: both are true, one is kept."""
    validators = [state.registry.validators for state in history.states]
    others = []
    for decision, transition in history.parts(1, 11):
        header = decision.block.header
        signing = validators[header.height - 1]
        signers = [each.key for each in signing.validators][-signing.quorum :]
        certificate = history.consortium.certify(header, signing, signers=signers)
        others.append((Decision(decision.block, certificate), transition))
    assert others[2][0] != history.decision(3)
    ids = [leaf_hash(history.decision(height).block.entries[0]) for height in (12, 13, 14)]
    with joined(path, history, 0, 11, 14) as store:
        early = [store.receipt(id_) for id_ in ids]
        assert all(early)
        tip = store.decided_header(Height(11))
        store.backfill(others)
        assert [store.receipt(id_) for id_ in ids] == early
    with Store.open(path, history.consortium.genesis) as store:
        assert [store.receipt(id_) for id_ in ids] == early
        assert store.decided_header(Height(11)) == tip
        assert store.decision(Height(1)) == others[0][0]
