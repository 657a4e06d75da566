"""After the trouble an idle night: members leave entries behind that nobody can decide, then nobody has work for long.

In the morning an entry is decided as soon as if there had been no night.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

from tests.simulation import liveness
from tests.simulation.governing import submit
from tests.support.consortium import key

from notarium_consensus.effects import ResendTimer, SetTimer
from notarium_consensus.timers import HeightTimers
from notarium_ledger.log.hashes import leaf_hash
from notarium_node import node

if TYPE_CHECKING:
    from tests.simulation.world import World

DECIDED_S = 60.0
"""In which what the members say in the evening is decided."""
CALM_S = 20.0
"""So long after the last decision the last client has given up, and nothing waits anywhere."""
TICK_S, RESEND_MS = 5.0, 5_000
"""Of the nodes at night: otherwise ticks and messages sent again would be most of a seed's steps."""


def spend(world: World) -> None:
    """Evening, night and morning, in peace. Raises AssertionError."""
    _evening(world)
    world.dusk_s = world.loop.now_s
    night_s = world.schedule.night_s
    with patch.object(node, "TICK_S", TICK_S), patch.object(HeightTimers, "start_resend", _seldom):
        world.run(world.random.uniform(0.5, 1.0) * night_s)
        world.run(0.2 * night_s, lambda: _is_a_liar_s_turn(world))
    world.dawn_s = world.loop.now_s
    _morning(world)


def _evening(world: World) -> None:
    """More votes than needed, and a key that writes while it is revoked; then all is calm, at every honest node."""
    for number in range(world.random.randint(1, 2)):
        member = world.random.randrange(world.size)
        signer = key(f"simulated {world.seed} evening {number}")
        action = {"type": "set-parameter", "name": "max_entry_bytes", "value": 16_000 + number}
        proposal = submit(world, "propose", member, action=action)
        enrolment = submit(world, "enrol", member, key=bytes(signer.public))
        _decide(world, [proposal, enrolment], DECIDED_S, "evening")
        for voter in range(world.size):
            submit(world, "vote", voter, proposal=bytes(leaf_hash(proposal)), approve=True)
        last = [submit(world, "revoke", member, key=bytes(signer.public))]
        for _ in range(3):
            raw = world.entry(world.consortium.members[member], signer)
            world.watch.submitted(raw)
            world.client(raw, world.doors, 1)
        _decide(world, last, DECIDED_S, "evening")
    world.run(CALM_S)
    for each in world.honest:
        if each.node is not None and (each.node.engine.due or len(each.node.mempool)):
            raise AssertionError(
                f"idle: node {each.number} waits for block {each.node.engine.height} {CALM_S:.0f} s after the last "
                f"decision, in round {each.node.engine.round}, with {len(each.node.mempool)} entries"
            )


def _seldom(self: HeightTimers) -> None:
    self._effects.emit(SetTimer(ResendTimer(self._context.height), self._effects.now_ms + RESEND_MS))


def _is_a_liar_s_turn(world: World) -> bool:
    """Whether an honest node waits for a liar: no entry could come at a worse moment."""
    for member in world.honest:
        engine = None if member.node is None else member.node.engine
        if engine is not None and engine.due:
            validators = world.registry.validators
            return not world.is_honest(validators.proposer(engine.height, engine.round))
    return False


def _morning(world: World) -> None:
    """One entry after the other, so that each validator's turn comes."""
    allowed_s = liveness.morning_s(world)
    for number in range(world.size + 1):
        raw = world.new_entry()
        world.client(raw, world.doors)
        _decide(world, [raw], allowed_s, f"morning, entry {number}")


def _decide(world: World, raws: list[bytes], allowed_s: float, when: str) -> None:
    ids = {leaf_hash(raw) for raw in raws}
    if not world.run(allowed_s, lambda: ids <= world.watch.acknowledged.keys()):
        state = [f"{m.number}:{m.height}" for m in world.members]
        raise AssertionError(f"liveness: not decided within {allowed_s:.0f} s ({when}); heights {state}")
