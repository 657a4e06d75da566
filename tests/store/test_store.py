"""What is committed is read back, the same before and after a restart."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.chains import approved, change_validator, commit, grow
from tests.support.consortium import Consortium, digest

from notarium_ledger.blocks.block import Decision
from notarium_ledger.encoding import canonical
from notarium_ledger.log.hashes import EMPTY_ROOT, leaf_hash
from notarium_ledger.state.chain_state import ChainState, apply_block
from notarium_ledger.trust.receipt import ReceiptVerifier
from notarium_ledger.types import Hash, Height
from notarium_store import Store, StoreError
from notarium_store.check import check_chain
from notarium_store.database import Database
from notarium_store.layout import ENTRIES_PER_GROUP

# One entry, a few, one group, one more than a group, several groups with a rest, the ends of list heads.
SIZES = (1, 3, 14, 15, 16, ENTRIES_PER_GROUP, ENTRIES_PER_GROUP + 1, 5 * ENTRIES_PER_GROUP + 7, 1, 2)


def test_a_new_store_is_empty(store: Store, consortium: Consortium) -> None:
    assert store.state == ChainState.initial(consortium.genesis.hash, consortium.genesis.registry)
    assert store.root(0) == EMPTY_ROOT
    assert store.decision_bytes(Height(1)) is None
    assert store.decision(Height(0)) is None
    assert store.decided_header(Height(1)) is None
    assert store.receipt(Hash(digest("nobody"))) is None
    assert store.record() == (None, {})
    with pytest.raises(IndexError):
        store.entry(0)


def test_everything_reads_back_from_memory_and_from_disk(path: Path, consortium: Consortium) -> None:
    with Store.open(path, consortium.genesis) as store:
        decisions = grow(store, consortium, SIZES)
        state = store.state
        _check_all(store, consortium, decisions)
    with Store.open(path, consortium.genesis) as again:
        assert again.state == state
        _check_all(again, consortium, decisions)


def _check_all(store: Store, consortium: Consortium, decisions: list) -> None:
    verifier = ReceiptVerifier(consortium.genesis)
    index = 0
    for number, decision in enumerate(decisions, 1):
        height = Height(number)
        assert store.decision_bytes(height) == canonical.encode(decision.to_value())
        assert store.decision(height) == decision
        decided = store.decided_header(height)
        assert decided is not None
        assert (decided.header, decided.certificate, decided.handovers) == (
            decision.block.header,
            decision.certificate,
            (),
        )
        assert store.entries(index, len(decision.block.entries)) == list(decision.block.entries)
        for raw in decision.block.entries:
            id_ = leaf_hash(raw)
            assert store.is_decided(id_)
            assert store.position(id_) == (height, index)
            assert store.entry(index) == raw
            assert store.entry_by_id(id_) == (raw, height, index)
            assert store.height_of(index) == height
            receipt = store.receipt(id_)
            assert receipt is not None
            verified = verifier.verify_json(receipt.encode_json())
            assert (verified.index, verified.header) == (index, decision.block.header)
            index += 1
    assert store.state.frontier.size == index
    assert store.root(index) == store.state.frontier.root()
    with pytest.raises(IndexError):
        store.entry(index)
    with pytest.raises(IndexError):
        store.entries(index - 1, 2)


def test_a_receipt_never_changes(path: Path, consortium: Consortium) -> None:
    with Store.open(path, consortium.genesis) as store:
        (first,) = grow(store, consortium, [37])
        ids = [leaf_hash(raw) for raw in first.block.entries]
        early = [store.receipt(id_) for id_ in ids]
        grow(store, consortium, [91, 1])
        change_validator(store, consortium, 1, "another")
        grow(store, consortium, [5])
        assert [store.receipt(id_) for id_ in ids] == early
    with Store.open(path, consortium.genesis) as store:
        assert [store.receipt(id_) for id_ in ids] == early


def test_committing_the_tip_again_changes_nothing(store: Store, consortium: Consortium) -> None:
    decision, transition = consortium.decide(store.state, consortium.entries(3))
    store.commit(decision, transition)
    before = store.state
    store.commit(decision, transition)
    assert store.state == before


def test_a_block_that_does_not_follow_is_refused(store: Store, consortium: Consortium) -> None:
    first = consortium.decide(store.state, consortium.entries(2))
    rival = consortium.decide(store.state, consortium.entries(1))
    later = consortium.decide(first[1].state, consortium.entries(1))
    other_later = consortium.decide(first[1].state, consortium.entries(1))
    on_rival = consortium.decide(rival[1].state, consortium.entries(1))
    with pytest.raises(StoreError, match="block 2 does not follow the stored block 0"):
        store.commit(*later)
    store.commit(*first)
    with pytest.raises(StoreError, match="block 1 does not follow the stored block 1"):
        store.commit(*rival)
    with pytest.raises(StoreError, match="block 2 does not follow the stored block 1"):
        store.commit(*on_rival)
    for transition in (rival[1], other_later[1], on_rival[1]):
        with pytest.raises(StoreError, match="transition does not belong to block 2"):
            store.commit(later[0], transition)
    store.commit(*later)
    assert store.state == later[1].state


def test_handovers_are_found_and_lead_receipts_over_changes_of_the_set(path: Path, consortium: Consortium) -> None:
    with Store.open(path, consortium.genesis) as store:
        blocks = grow(store, consortium, [2])
        first_key, first = change_validator(store, consortium, 0, "new 0")
        blocks += [first, *grow(store, consortium, [3])]
        _, second = change_validator(store, consortium, 2, "new 2")
        blocks += [second, *grow(store, consortium, [1])]
        assert first_key.public in store.state.registry.validators
        handovers = store.handovers()
        state = store.state
    assert [each.header.height for each in handovers] == [2, 4]
    with Store.open(path, consortium.genesis) as store:
        assert store.state == state
        assert store.handovers() == handovers
        verifier = ReceiptVerifier(consortium.genesis)
        for height, block in enumerate(blocks, 1):
            receipt = store.receipt(leaf_hash(block.block.entries[0]))
            assert receipt is not None
            # The block that hands over is itself signed by the old set: it is not among its own handovers.
            assert receipt.decided.handovers == tuple(each for each in handovers if each.header.height < height)
            verifier.verify(receipt)


def test_a_parameter_change_is_in_the_state_after_a_restart(path: Path, consortium: Consortium) -> None:
    with Store.open(path, consortium.genesis) as store:
        action = {"type": "set-parameter", "name": "max_block_entries", "value": 77}
        commit(store, consortium, approved(consortium, 3, action))
        grow(store, consortium, [4, 4])
        assert store.handovers() == ()
    with Store.open(path, consortium.genesis) as store:
        assert store.state.registry.parameters.max_block_entries == 77


def test_a_follower_gets_the_same_store_from_streamed_bytes(
    store: Store, consortium: Consortium, tmp_path: Path
) -> None:
    grow(store, consortium, [3, 70])
    change_validator(store, consortium, 3, "moved")
    grow(store, consortium, [2])
    with Store.open(tmp_path / "follower", consortium.genesis) as follower:
        for height in range(1, store.state.height + 1):
            data = store.decision_bytes(Height(height))
            assert data is not None
            decision = Decision.from_value(canonical.decode(data))
            follower.commit(decision, apply_block(follower.state, decision.block, follower.is_decided))
        assert follower.state == store.state


def test_find_names_the_entries_of_an_artifact_in_order(path: Path, consortium: Consortium) -> None:
    shared, other = digest("data"), digest("other data")
    with Store.open(path, consortium.genesis) as store:
        for _ in range(3):
            commit(
                store,
                consortium,
                [
                    consortium.entry(consortium.body(record=other)),
                    consortium.entry(consortium.body(subjects=[{"digest": shared, "role": "input"}])),
                    consortium.entry(consortium.body(record=shared, manifest=shared)),
                ],
            )
        for _ in range(2):

            def found(*asked: Any, **more: Any) -> list[int]:
                return [each.index for each in store.find(*asked, **more)]

            assert found(shared, 100) == [1, 2, 4, 5, 7, 8]
            assert found(shared, 2) == [1, 2]
            assert found(shared, 2, after=2) == [4, 5]
            assert found(shared, 100, after=8) == []
            assert found(other, 100) == [0, 3, 6]
            assert found(digest("unknown"), 100) == []
            assert found(shared[:31], 100) == []


def test_find_knows_of_each_entry_what_a_search_asks_for(path: Path, consortium: Consortium) -> None:
    with Store.open(path, consortium.genesis) as store:
        body = consortium.body("model", record=digest("data"), project="study")
        commit(store, consortium, [consortium.entry(consortium.body())])
        commit(store, consortium, [entry := consortium.entry(body)])
        [named] = store.find(digest("data"), 10)
    said = (named.index, named.id, named.height, named.kind, named.issuer, named.project)
    assert said == (1, entry.id, 2, "model", body["issuer"], "study")


def test_the_size_of_the_log_before_a_time(path: Path, consortium: Consortium) -> None:
    with Store.open(path, consortium.genesis) as store:
        assert store.size_before(2**50) == 0
        times = []
        for count in (1, 3, 2):
            commit(store, consortium, consortium.entries(count))
            times.append(store.state.time_ms)
        assert [store.size_before(each) for each in times] == [0, 1, 4]
        assert [store.size_before(each + 1) for each in times] == [1, 4, 6]
        assert (store.size_before(0), store.size_before(2**50)) == (0, 6)


def test_the_consensus_record_survives_until_its_height_is_decided(path: Path, consortium: Consortium) -> None:
    with Store.open(path, consortium.genesis) as store:
        store.put_record(Height(1), b"0/prepare", b"digest")
        store.put_record(Height(1), b"0/commit", b"digest and block")
        store.put_record(Height(1), b"0/commit", b"the same, written again")
        store.put_record(Height(2), b"0/proposal", b"early")
    with Store.open(path, consortium.genesis) as store:
        assert store.record() == (2, {b"0/proposal": b"early"})
        decision, transition = consortium.decide(store.state, consortium.entries(1))
        store.commit(decision, transition)
        assert store.record() == (2, {b"0/proposal": b"early"})
        grow(store, consortium, [1])
        assert store.record() == (None, {})
        with pytest.raises(StoreError, match="block 2 is decided"):
            store.put_record(Height(2), b"0/commit", b"late")
    with Store.open(path, consortium.genesis) as store:
        assert store.record() == (None, {})
        store.put_record(Height(3), b"", b"an empty name")
    with Store.open(path, consortium.genesis) as store:
        assert store.record() == (3, {b"": b"an empty name"})


def test_the_owner_of_the_record_is_remembered_with_what_it_wrote(path: Path, consortium: Consortium) -> None:
    mine = consortium.validator_keys[0].public
    with Store.open(path, consortium.genesis) as store:
        assert store.owner is None
        store.put_record(Height(1), b"0/prepare", b"written before anybody said whose it is")
        store.put_owner(mine, Height(1), [(b"recall", b"regained")])
        assert store.record() == (1, {b"recall": b"regained"})
        grow(store, consortium, [1])
    with Store.open(path, consortium.genesis) as store:
        assert store.owner == mine
        store.put_record(Height(2), b"0/prepare", b"digest")
        store.put_owner(mine, Height(2), [])
        assert store.record() == (2, {b"0/prepare": b"digest"})
        with pytest.raises(StoreError, match="block 1 is decided"):
            store.put_owner(mine, Height(1), [(b"recall", b"lost")])
    assert check_chain(path, consortium.genesis, lambda done, total: None).height == 1


def test_another_owner_inherits_no_record(path: Path, consortium: Consortium) -> None:
    """Whatever the key before signed, this one has not."""
    mine, other = (each.public for each in consortium.validator_keys[:2])
    with Store.open(path, consortium.genesis) as store:
        store.put_owner(mine, Height(2), [(b"fence", b"old"), (b"0/prepare", b"digest")])
        store.put_record(Height(9), b"0/commit", b"digest")
        store.put_owner(other, Height(2), [(b"fence", b"new")])
        assert (store.owner, store.record()) == (other, (2, {b"fence": b"new"}))
    with Store.open(path, consortium.genesis) as store:
        assert (store.owner, store.record()) == (other, (2, {b"fence": b"new"}))


def test_the_owner_and_its_items_are_one_write(
    path: Path, consortium: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = consortium.validator_keys[0].public

    def failing(*_: Any) -> None:
        raise StoreError(path, "fsync failed")

    with Store.open(path, consortium.genesis) as store:
        monkeypatch.setattr(Database, "write", failing)
        with pytest.raises(StoreError, match="fsync failed"):
            store.put_owner(mine, Height(1), [(b"fence", b"1")])
        assert (store.owner, store.record()) == (None, (None, {}))


def test_a_closed_store_says_so(path: Path, consortium: Consortium) -> None:
    store = Store.open(path, consortium.genesis)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.is_decided(Hash(digest("anything")))
    with pytest.raises(StoreError, match="is closed"):
        store.put_record(Height(1), b"k", b"v")


def test_a_block_writes_few_pairs(store: Store, consortium: Consortium, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a commit costs must not creep up: one pair per id and per digest, the rest grouped."""
    written: list[int] = []
    real = Database.write

    def counting(self: Database, items, deleted=()) -> None:
        pairs = list(items)
        written.append(len(pairs))
        real(self, pairs, deleted)

    monkeypatch.setattr(Database, "write", counting)
    grow(store, consortium, [1000, 1000])
    ids = digests = 1000
    groups = 16
    nodes = 8
    assert max(written) <= ids + digests + groups + nodes + len(("header", "block end", "state", "use"))
