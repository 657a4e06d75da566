"""Members at work: one enrols without measure, its keys write and are revoked, and all propose, vote and withdraw.

What they submit may be refused, now or later: whether rightly so is for the oracles (oracles/authority.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.consortium import key

from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.signing import SigningKey
from notarium_ledger.types import Hash

if TYPE_CHECKING:
    from tests.simulation.world import World

TRIES = 3
"""A member's client gives up after so many refusals: nobody promised it anything."""
BURST = 150
"""Enrolments submitted at once."""
PROPOSALS = 12
"""In a seed; each member may have 16 open, and the simulator's own votes need some."""


class Registrar:
    """The administrator of one member, with a key that enrols."""

    def __init__(self, world: World, enrolments: int) -> None:
        self._world = world
        self._left = enrolments
        self._made = 0
        self._member = world.random.randrange(world.size)
        self._waiting: list[tuple[Hash, SigningKey]] = []
        """Enrolments that no client has a receipt of yet."""

    def act(self) -> None:
        """Enrol some more, and let those that are enrolled write; some are revoked first."""
        world = self._world
        if not world.is_troubled:
            return
        draw = world.random
        for _ in range(min(self._left, draw.choice([1, 5, BURST]))):
            self._left -= 1
            self._enrol()
        known = world.watch.acknowledged
        enrolled = [each for each in self._waiting if each[0] in known]
        self._waiting = [each for each in self._waiting if each[0] not in known]
        for _, signer in enrolled[:3]:
            if draw.random() < 0.4:
                self._revoke(signer)
            else:
                world.coverage["member: an enrolled key writes"] += 1
                world.client(world.new_entry(self._name, signer), world.doors)
        world.after(draw.choice([0.05, 0.4, 1.5]), self.act)

    @property
    def _name(self) -> str:
        return self._world.consortium.members[self._member]

    def _enrol(self) -> None:
        self._made += 1
        signer = key(f"simulated {self._world.seed} {self._made}")
        raw = self._submit("enrol", key=bytes(signer.public))
        self._waiting.append((leaf_hash(raw), signer))
        self._world.coverage["member: enrols"] += 1

    def _revoke(self, signer: SigningKey) -> None:
        """The key goes on writing: what comes after the revocation must be refused."""
        world = self._world
        self._submit("revoke", key=bytes(signer.public))
        world.coverage["member: revokes"] += 1
        for at_s in (0.0, 0.3, 2.0):
            world.after(at_s, self._write, signer)

    def _write(self, signer: SigningKey) -> None:
        world = self._world
        raw = world.entry(self._name, signer)
        world.watch.submitted(raw)
        world.client(raw, world.doors, TRIES)

    def _submit(self, kind: str, **fields: Any) -> bytes:
        return submit(self._world, kind, self._member, **fields)


class Governors:
    """All members: proposals that change no validator, and votes on them in any order."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._open: list[tuple[int, bytes]] = []
        """(proposer, id), decided or not."""
        self._guests = 0

    def act(self) -> None:
        """One of them does something."""
        world = self._world
        if not world.is_troubled:
            return
        draw = world.random
        if len(self._open) < PROPOSALS and (not self._open or draw.random() < 0.4):
            self._propose()
        else:
            proposer, proposal = draw.choice(self._open)
            what = draw.random()
            if what < 0.5:
                self._all_vote(proposal)
            elif what < 0.7:
                self._vote(proposer, proposal, False)
            else:
                self._vote(draw.randrange(world.size), proposal, draw.random() < 0.6)
        world.after(draw.choice([0.05, 0.3, 1.0]), self.act)

    def _propose(self) -> None:
        world, draw = self._world, self._world.random
        proposer = draw.randrange(world.size)
        action: dict[str, Any]
        match draw.randrange(4):
            case 0:
                self._guests += 1
                guest = key(f"simulated guest {world.seed} {self._guests}")
                action = {"type": "add-member", "id": f"guest-{self._guests % 2}", "name": "A guest"}
                action["key"] = bytes(guest.public)
            case 1:
                action = {"type": "remove-member", "id": f"guest-{draw.randrange(2)}"}
            case 2:
                value = draw.choice([12_000, 16_384, 20_000])
                action = {"type": "set-parameter", "name": "max_entry_bytes", "value": value}
            case _:
                value = draw.choice([4_096, 8_192])
                action = {"type": "set-parameter", "name": "max_block_entries", "value": value}
        raw = submit(world, "propose", proposer, action=action)
        self._open.append((proposer, bytes(leaf_hash(raw))))
        world.coverage["member: proposes"] += 1

    def _all_vote(self, proposal: bytes) -> None:
        members = list(range(self._world.size))
        self._world.random.shuffle(members)
        for member in members:
            self._vote(member, proposal, True)

    def _vote(self, member: int, proposal: bytes, approve: bool) -> None:
        submit(self._world, "vote", member, proposal=proposal, approve=approve)
        self._world.coverage["member: votes"] += 1


def submit(world: World, kind: str, member: int, **fields: Any) -> bytes:
    """A statement of member number `member` on its way; the bytes."""
    raw = world.consortium.raw(world.consortium.member_body(kind, member, **fields))
    world.watch.submitted(raw)
    world.client(raw, world.doors, TRIES)
    return raw
