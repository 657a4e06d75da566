"""Replay: what consensus decides while fetched blocks are checked makes nobody a liar; other entries do."""

import pytest
from tests.node.catching_up import Ledger
from tests.support.chains import change_validator

from notarium_ledger.blocks.block import Block, Decision
from notarium_ledger.encoding import canonical
from notarium_ledger.state.chain_state import apply_block
from notarium_node.catchup import replay
from notarium_node.catchup.fetching import Fetched
from notarium_node.catchup.replay import Lie, Replayer
from notarium_node.entries.verifier import Verifier
from notarium_store import Store


@pytest.fixture
def ledger(tmp_path):
    made = Ledger(tmp_path / "ledger")
    yield made
    made.store.close()


class Overtaken:
    """A line on which consensus decides `ahead` at once, when the first entry of a fetched block is looked at."""

    checks_signatures = True

    def __init__(self, store, ahead):
        self._store = store
        self._ahead = ahead

    @property
    def state(self):
        return self._store.state

    def known(self, raw):
        for decision in self._ahead:
            self._store.commit(decision, apply_block(self._store.state, decision.block, self._store.is_decided))
        self._ahead = []

    def is_decided(self, id_):
        return self._store.is_decided(id_)

    def store(self, parts):
        self._store.commit_many(parts)
        return True


@pytest.mark.parametrize("ahead", range(9))
@pytest.mark.parametrize("size", [1, 2, 128])
async def test_consensus_may_decide_any_number_of_the_blocks_that_are_being_checked(
    ledger, tmp_path, monkeypatch, ahead, size
):
    """The validator set changes twice on the way: there, who must have certified is known only from the state."""
    monkeypatch.setattr(replay, "GROUP_BLOCKS", size)
    ledger.grow(1)
    for member in range(2):
        ledger.decisions.append(change_validator(ledger.store, ledger.consortium, member, f"new {member}")[1])
        ledger.grow(3)
    with Store.open(tmp_path / "node", ledger.consortium.genesis) as store:
        line = Overtaken(store, ledger.decisions[:ahead])
        peer = ledger.consortium.validator_keys[1].public
        fetched = Fetched(peer, [canonical.encode(each.to_value()) for each in ledger.decisions])
        assert await Replayer(Verifier(0)).extend(line, fetched)
        assert store.state == ledger.store.state


@pytest.mark.parametrize("kept", [0, 2])
async def test_who_moves_an_entry_from_one_certified_block_to_the_next_is_a_liar(ledger, tmp_path, kept):
    """The tree after both blocks is the true one all the same."""
    ledger.grow(4)
    moved = [raw for each in ledger.decisions[:2] for raw in each.block.entries]
    sent = [
        Decision(Block(each.block.header, tuple(entries)), each.certificate)
        for each, entries in zip(ledger.decisions, (moved[:kept], moved[kept:]), strict=False)
    ] + ledger.decisions[2:]
    with Store.open(tmp_path / "node", ledger.consortium.genesis) as store:
        peer = ledger.consortium.validator_keys[1].public
        fetched = Fetched(peer, [canonical.encode(each.to_value()) for each in sent])
        with pytest.raises(Lie):
            await Replayer(Verifier(0)).extend(Overtaken(store, []), fetched)
        assert store.state.height == 0
