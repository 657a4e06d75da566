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
PROPOSAL_BLOCKS = 4
"""So long are proposals open once the members have voted so: real ones live longer than any seed."""
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
    """All members: proposals of every kind, and votes on them in any order, some of them against the rules."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._open: list[tuple[int, bytes]] = []
        """(proposer, id), decided or not."""
        self._guests = [Guest(world, number) for number in range(2)]

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
        world = self._world
        proposer = world.random.randrange(world.size)
        raw = submit(world, "propose", proposer, action=self._action())
        self._open.append((proposer, bytes(leaf_hash(raw))))
        world.coverage["member: proposes"] += 1

    def _action(self) -> dict[str, Any]:
        world, draw = self._world, self._world.random
        if not self._open:
            return _parameter("proposal_blocks", PROPOSAL_BLOCKS)
        guest = draw.choice(self._guests)
        match draw.randrange(6):
            case 0 | 1:
                return guest.joins()
            case 2:
                return {"type": "remove-member", "id": guest.id}
            case 3:
                return _parameter("max_entry_bytes", draw.choice([12_000, 16_384, 20_000]))
            case 4:
                return _parameter("max_member_keys", draw.choice([10, 40, 5_000]))
            case _:  # below four validators this must not be possible so
                return {"type": "remove-node", "key": draw.choice(world.registry.validators.validators).key}

    def _all_vote(self, proposal: bytes) -> None:
        """In any order; one of them has second thoughts."""
        members = list(range(self._world.size))
        self._world.random.shuffle(members)
        for member in members:
            self._vote(member, proposal, True)

    def _vote(self, member: int, proposal: bytes, approve: bool) -> None:
        submit(self._world, "vote", member, proposal=proposal, approve=approve)
        self._world.coverage["member: votes"] += 1


class Guest:
    """A member that comes and goes, without a node, and whose keys write all the time."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self.id = f"guest-{number}"
        self._admin = key(f"simulated admin {world.seed} {number}")
        self._keys = 0
        self._signers: list[SigningKey] = []
        world.after(1.0, self._act)

    def joins(self) -> dict[str, Any]:
        """The action that makes it a member."""
        return {"type": "add-member", "id": self.id, "name": "A guest", "key": bytes(self._admin.public)}

    def _act(self) -> None:
        """A member or not: what it says is refused in the latter case."""
        world = self._world
        if not world.is_troubled:
            return
        draw = world.random
        if len(self._signers) < 2:
            self._keys += 1
            self._signers.append(key(f"simulated {world.seed} {self.id} {self._keys}"))
        signer = draw.choice(self._signers)
        body = {"v": 1, "kind": "enrol", "member": self.id, "key": bytes(signer.public)}
        for raw in (world.consortium.raw(body, self._admin), world.entry(self.id, signer)):
            world.watch.submitted(raw)
            world.client(raw, world.doors, TRIES)
        world.coverage["member: a guest speaks"] += 1
        world.after(draw.choice([0.3, 1.0, 2.0]), self._act)


def _parameter(name: str, value: int) -> dict[str, Any]:
    return {"type": "set-parameter", "name": name, "value": value}


def submit(world: World, kind: str, member: int, **fields: Any) -> bytes:
    """A statement of member number `member` on its way; the bytes."""
    raw = world.consortium.raw(world.consortium.member_body(kind, member, **fields))
    world.watch.submitted(raw)
    if kind in ("propose", "vote"):
        world.says(member, raw, TRIES)
    else:
        world.client(raw, world.doors, TRIES)
    return raw
