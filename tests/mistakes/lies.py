"""What a lying peer may deliver to a node that catches up, in place of the blocks it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.mistakes.nodes import Cluster, Puppet, status
from tests.support.consortium import Consortium

from notarium_ledger.blocks.block import Decision
from notarium_ledger.blocks.certificate import QuorumCertificate, Seal
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import Entry
from notarium_ledger.types import PublicKey
from notarium_node.peers import wire
from notarium_node.peers.wire import Kind

Chain = list[Decision]
Lie = Callable[[Cluster, Puppet, Chain], list[bytes]]
"""From the true chain to what is delivered in answer to a request from height 1 on."""


def encoded(decisions: Chain) -> list[bytes]:
    """As they are sent."""
    return [canonical.encode(decision.to_value()) for decision in decisions]


def nothing(made: Cluster, liar: Puppet, chain: Chain) -> list[bytes]:
    """Claims blocks and has none."""
    return []


def with_a_gap(made: Cluster, liar: Puppet, chain: Chain) -> list[bytes]:
    """The second block is left out."""
    return encoded([chain[0], *chain[2:]])


def another_beginning(made: Cluster, liar: Puppet, chain: Chain) -> list[bytes]:
    """Without the first block."""
    return encoded(chain[1:])


def cut_short(made: Cluster, liar: Puppet, chain: Chain) -> list[bytes]:
    """The last item ends in its middle."""
    items = encoded(chain)
    return [*items[:-1], items[-1][: len(items[-1]) // 2]]


def other_entries(made: Cluster, liar: Puppet, chain: Chain) -> list[bytes]:
    """Valid entries that were never decided, under the decided headers and certificates."""
    return encoded([_with_entries(decision, [made.consortium.entry()]) for decision in chain])


def sealed_by_itself(made: Cluster, liar: Puppet, chain: Chain) -> list[bytes]:
    """A block of its own, as good as a block can be, but for the certificate: its own seal and copies of others'."""
    return encoded([_own_block(made, liar)])


def a_quorum_of_forged_seals(made: Cluster, liar: Puppet, chain: Chain) -> list[bytes]:
    """As above, with the others' keys and invalid signatures."""
    decision = _own_block(made, liar)
    seals = tuple(
        seal if seal.key == liar.key.public else Seal(seal.key, decision.certificate.seals[0].signature)
        for seal in (Seal(key.public, decision.certificate.seals[0].signature) for key in made.keys[: len(made.keys)])
    )
    return encoded([replace(decision, certificate=replace(decision.certificate, seals=seals))])


def another_ledger(made: Cluster, liar: Puppet, chain: Chain) -> list[bytes]:
    """A valid chain, of another consortium."""
    other = Consortium(4, name="another")
    decision, _ = other.decide(other.state, [other.entry()])
    return encoded([decision])


LIES: tuple[Lie, ...] = (
    nothing,
    with_a_gap,
    another_beginning,
    cut_short,
    other_entries,
    sealed_by_itself,
    a_quorum_of_forged_seals,
    another_ledger,
)


def _with_entries(decision: Decision, entries: list[Entry]) -> Decision:
    block = replace(decision.block, entries=tuple(entry.raw for entry in entries))
    return replace(decision, block=block)


def _own_block(made: Cluster, liar: Puppet) -> Decision:
    """Block 1 as the liar would have it, sealed by the liar alone."""
    consortium = made.consortium
    decision, _ = consortium.decide(consortium.state, [consortium.entry()], signers=[liar.key.public])
    certificate: QuorumCertificate = decision.certificate
    return replace(decision, certificate=certificate)


def deliver(made: Cluster, liar: Puppet, lie: Lie, chain: Chain, claim: int) -> None:
    """From now on `liar` claims the height `claim` and answers every request for blocks with the lie."""
    items = lie(made, liar, chain)

    def answer(peer: PublicKey, data: bytes) -> None:
        if data[0] == Kind.GET_BLOCKS:
            liar.view.send(peer, wire.pack_list(Kind.BLOCKS, items))
        elif data[0] == Kind.STATUS:
            liar.view.send(peer, status(claim))

    liar.answer = answer


def dropped(made: Cluster, number: int, liar: Puppet) -> list[Any]:
    """The words for which node `number` parted with the liar."""
    return [reason for peer, reason in made.view(number).dropped_peers if peer == liar.key.public]
