"""What the tests of joining have in common: a chain that others decided, and who serves it."""

from tests.node.catching_up import Ledger, Peer

from notarium_store import Store

LENGTH = 60
LAG = 20
"""Further behind, a node of these tests takes a snapshot."""
WIPED = 3
"""The number of the validator under test. Certificates hold the seals of three others, unless a test says otherwise."""


class Chain(Ledger):
    """Decided by the three validators that are not under test."""

    old: Store
    """The ledger as it was long ago."""

    @property
    def others(self):
        keys = [each.public for each in self.consortium.validator_keys]
        return [each for each in keys if each != keys[WIPED]]

    def grow(self, blocks, entries=None, signers=None):
        super().grow(blocks, entries, signers or self.others)


def peers(ledger, kind=Peer, count=3):
    return [kind(key, ledger) for key in ledger.others[:count]]


class NoHistory(Peer):
    """Has a snapshot, and is silent about old blocks until `hidden` is lowered."""

    hidden = LENGTH

    async def blocks(self, first, most):
        return [] if first <= self.hidden else await super().blocks(first, most)
