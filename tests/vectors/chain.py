"""A small chain, from which the vectors of headers, votes, certificates and receipts are made.

Four validators; block 1 has three entries, block 2 gives m1 another validator key, block 3 has five entries. The chain
with a loop goes on: block 4 gives m1 its first key again, so the founders sign again, and block 5 has two entries.
"""

from __future__ import annotations

from functools import cache

from tests.support.chains import approved
from tests.support.consortium import Consortium, fake_certificate, key

from notarium_ledger.blocks.block import Decision
from notarium_ledger.log.frontier import inclusion_path
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.chain_state import ChainState, Transition
from notarium_ledger.trust.chain import DecidedHeader, Handover
from notarium_ledger.trust.receipt import Receipt
from notarium_ledger.types import Hash


class Chain:
    """The chain with its tree nodes, in memory."""

    def __init__(self) -> None:
        self.consortium = Consortium(4, observers=1, name="vectors")
        self.states: list[ChainState] = [self.consortium.state]
        self.decisions: list[Decision] = []
        self.handovers: list[Handover] = []
        self._nodes: dict[tuple[int, int], Hash] = {}
        make = self.consortium
        self._take(*make.decide(self.tip, [make.entry(make.body(kind)) for kind in ("dataset", "run", "model")]))
        self._change(key("vectors validator 1 again"))
        self._take(*make.decide(self.tip, make.entries(5)))

    def loop(self) -> None:
        """Go on to a height at which the founders sign again."""
        self._change(self.consortium.validator_keys[1])
        self._take(*self.consortium.decide(self.tip, self.consortium.entries(2)))

    def _change(self, new: SigningKey) -> None:
        """A block after which m1 has this validator key."""
        make = self.consortium
        make.keys_by_public[new.public] = new
        node = {
            "member": "m1",
            "role": "validator",
            "key": bytes(new.public),
            "certificate": fake_certificate(new),
            "address": "127.0.0.1:9101",
        }
        self._take(*make.decide(self.tip, approved(make, 3, {"type": "set-node", "node": node}), round=1))

    @property
    def tip(self) -> ChainState:
        """The state after the last block."""
        return self.states[-1]

    def _take(self, decision: Decision, transition: Transition) -> None:
        before = self.tip
        self.decisions.append(decision)
        self.states.append(transition.state)
        self._nodes.update(((level, index), value) for level, index, value in transition.nodes)
        after = transition.state.registry.validators
        if after.hash != before.registry.validators.hash:
            self.handovers.append(Handover(transition.header, decision.certificate, after))

    def decided(self, height: int) -> DecidedHeader:
        """The header of a height with what proves it."""
        decision = self.decisions[height - 1]
        handovers = tuple(each for each in self.handovers if each.header.height < height)
        return DecidedHeader(decision.block.header, decision.certificate, handovers)

    def receipt(self, height: int, number: int) -> Receipt:
        """The receipt of the entry with this number in the block of `height`."""
        decided = self.decided(height)
        index = self.states[height - 1].frontier.size + number
        path = inclusion_path(lambda level, at: self._nodes[level, at], index, decided.header.tree_size)
        return Receipt(self.decisions[height - 1].block.entries[number], index, tuple(path), decided)

    def leaves(self) -> list[bytes]:
        """The leaf hashes of the log."""
        return [leaf_hash(raw) for decision in self.decisions for raw in decision.block.entries]


@cache
def chain() -> Chain:
    """The one chain."""
    return Chain()


@cache
def looped() -> Chain:
    """The chain that goes on to a loop."""
    made = Chain()
    made.loop()
    return made
