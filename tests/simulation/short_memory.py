"""A lie to those that have forgotten: there is no ledger yet, and nothing to remember."""

from __future__ import annotations

from dataclasses import replace

from tests.simulation.catch_up_lies import claim
from tests.simulation.liar import Behaviour

from notarium_ledger.types import Height, PublicKey
from notarium_node.peers import wire
from notarium_node.peers.wire import Kind


class ShortMemory(Behaviour):
    """Answers that it remembers all, at height 0; shows no blocks, and no signature of anybody."""

    def outgoing(self, peer: PublicKey, data: bytes) -> list[bytes]:
        match data[0]:
            case Kind.RECALLED:
                self.count()
                answer = wire.unpack_recalled(data[1:])
                return [wire.pack_recalled(replace(answer, height=Height(0), remembers=True, statement=None))]
            case Kind.STATUS:
                return [claim(0, self.liar.world.genesis.hash)]
            case Kind.BLOCKS | Kind.SNAPSHOT:
                return []
            case _:
                return [data]
