"""A short ledger, a node that lacks it, and its peers: honest, slow and lying ones."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tests.node.catching_up import Ledger, Node, Peer

from notarium_ledger.blocks.block import Block, Decision
from notarium_ledger.encoding import canonical
from notarium_ledger.types import Height
from notarium_node.catchup import fetching
from notarium_node.peers import wire
from notarium_node.peers.wire import Kind


@contextmanager
def short_ledger(path: Path) -> Iterator[Ledger]:
    """Thirty blocks."""
    made = Ledger(path / "ledger")
    made.grow(30)
    yield made
    made.store.close()


@contextmanager
def starter(path: Path, ledger: Ledger) -> Iterator[Callable[..., Node]]:
    """Starts nodes with empty stores; they stop in the end."""
    made: list[Node] = []

    def make(**settings):
        made.append(Node(path / f"node{len(made)}", ledger, **settings))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def peers(ledger, count=2, kind=Peer):
    """The first validators of the consortium."""
    return [kind(each.public, ledger) for each in ledger.consortium.validator_keys[:count]]


def encoded(decision):
    return canonical.encode(decision.to_value())


class Boaster(Peer):
    """Claims the moon."""

    def status(self):
        return replace(super().status(), height=Height(2**60), history=Height(2**60), base=Height(2**60))


class Empty(Boaster):
    """And has nothing."""

    async def blocks(self, first, most):
        return [wire.pack_list(Kind.BLOCKS, [])]

    def snapshot(self, height, offset):
        return [wire.pack_snapshot(wire.SnapshotPart(Height(0), 0, 0, b""))]


class Forger(Peer):
    """Changes the block of height `at`."""

    at = 20

    def forge(self, decision):
        other, _ = self.ledger.consortium.decide(self.ledger.consortium.state, [self.ledger.consortium.entry()])
        return Decision(decision.block, replace(decision.certificate, seals=other.certificate.seals))

    async def blocks(self, first, most):
        chosen = self.ledger.decisions[first - 1 : first - 1 + most]
        return [
            wire.pack_list(
                Kind.BLOCKS, [encoded(self.forge(each) if each.height == self.at else each) for each in chosen]
            )
        ]


class Swapper(Forger):
    """Puts other entries under a certified header."""

    def forge(self, decision):
        return Decision(Block(decision.block.header, (self.ledger.consortium.entry().raw,)), decision.certificate)


class Thief(Forger):
    """Spoils an author's signature: the header's tree root shows it at once."""

    def forge(self, decision):
        raw = decision.block.entries[0]
        return Decision(Block(decision.block.header, (raw[:-1] + bytes((raw[-1] ^ 1,)),)), decision.certificate)


class Skipper(Peer):
    """Answers with other heights than those asked for."""

    async def blocks(self, first, most):
        return await super().blocks(Height(first + 5), most)


class ThinLine(Peer):
    """A fifth of a deadline for each block."""

    async def blocks(self, first, most):
        answers = await super().blocks(first, most)
        await asyncio.sleep(fetching.REQUEST_TIMEOUT_S / 5 * len(wire.unpack_list(answers[0][1:], wire.MAX_BLOCKS)))
        return answers


class Crumbler(Peer):
    """Answers with one block, whatever is asked."""

    async def blocks(self, first, most):
        await asyncio.sleep(0.02)
        return await super().blocks(first, 1)


class Exact(Crumbler):
    """And claims no more than that."""

    claimed = 1

    def status(self):
        height = Height(self.claimed)
        return replace(super().status(), height=height, history=height, base=height)
