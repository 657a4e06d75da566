"""Decided blocks, written into the stores of a network before it starts: a ledger of any age within seconds."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence

from notarium.key_files import Purpose, load_key
from notarium_ledger.blocks.block import Block, Decision
from notarium_ledger.blocks.certificate import QuorumCertificate, Seal
from notarium_ledger.blocks.statements import StatementKind, vote_bytes
from notarium_ledger.entries.entry import decode_entry
from notarium_ledger.state.chain_state import ChainState, Transition, advance
from notarium_ledger.types import Hash, Height, PublicKey, Round
from notarium_node.demo.local_network import LocalNetwork
from notarium_store import Store

TOGETHER = 50
"""Blocks in one write to a disk."""

Part = tuple[Decision, Transition]


def write(network: LocalNetwork, blocks: Iterable[Sequence[bytes]], begin_ms: int | None = None) -> ChainState:
    """Each list of entries becomes a block, decided by a quorum of the genesis, in every node's store.

    The nodes must not run, and must never have run: what they wrote is theirs. `begin_ms`: the time of the first block,
    by default right after the genesis; the others follow a millisecond apart. Nobody decides a further block before
    the clocks have come to the last one's time.
    """
    state = ChainState.initial(network.genesis.hash, network.genesis.registry)
    first, *others = (node.directory / "store" for node in network.nodes)
    with Store.open(first, network.genesis) as store:
        waiting: list[Part] = []
        for part in _decided(network, state, blocks, begin_ms or network.genesis.created_ms):
            waiting.append(part)
            state = part[1].state
            if len(waiting) == TOGETHER:
                store.commit_many(waiting)
                waiting = []
        store.commit_many(waiting)
    for other in others:
        shutil.copytree(first, other, dirs_exist_ok=True)
    for node in network.nodes:
        with Store.open(node.directory / "store", network.genesis) as store:
            store.put_owner(node.public_key, Height(state.height + 1), [])
    return state


def _decided(
    network: LocalNetwork, state: ChainState, blocks: Iterable[Sequence[bytes]], time_ms: int
) -> Iterator[Part]:
    keys = {}
    for node in network.validators:
        key = load_key(node.directory / "keys" / Purpose.VALIDATOR.file_name, Purpose.VALIDATOR)
        keys[key.public] = key
    validators = state.registry.validators
    for raws in blocks:
        time_ms += 1
        height = Height(state.height + 1)
        transition = advance(state, [decode_entry(raw) for raw in raws], time_ms, validators.proposer(height, Round(0)))
        header = transition.header
        message = vote_bytes(
            StatementKind.COMMIT, Hash(network.genesis.hash), validators.hash, height, Round(0), header.hash
        )
        signers: list[PublicKey] = [each.key for each in validators.validators][: validators.quorum]
        seals = tuple(Seal(each, keys[each].sign(message)) for each in sorted(signers))
        certificate = QuorumCertificate(height, Round(0), header.hash, seals)
        yield Decision(Block(header, tuple(raws)), certificate), transition
        state = transition.state
