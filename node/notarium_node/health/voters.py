"""Who could vote for the next block: this node by what it knows of itself, the others by what they report.

Ready means that a decision is possible, so a quorum of validators must be connected and able. Lies do not help: if at
most f validators are faulty, the n - f others are a quorum, so f that falsely report that they cannot vote make no node
unready. A false report of the opposite is found as soon as something is to be decided (standstill.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from notarium_ledger.types import Height, PublicKey
from notarium_node.health.ability import ENDING_AT_A_HEIGHT, REFUSALS, Ability, Cause
from notarium_node.health.observed import ObservedNode
from notarium_node.health.write_times import WRITES_A_VOTE

NOT_CONNECTED: Final = "not connected"
LIED: Final = "it lied to this node, which believes nothing that it reports until this one starts again"
NOT_HEARD: Final = "it has not reported yet whether it can vote"
EXPLAINED: Final = (Cause.CANNOT_FOLLOW, Cause.DISK_REFUSES, Cause.INCOMPLETE, Cause.FORGOTTEN)


class Voters:
    """Reads a node's parts; changes nothing of them."""

    def __init__(self, node: ObservedNode) -> None:
        self._node = node

    def own(self) -> Ability:
        """Whether this node could vote at the height after its tip if it is a validator there, and if not, why."""
        node = self._node
        if node.sync.obstacle:
            return Ability(Cause.CANNOT_FOLLOW)
        if node.driver.stalled:
            return Ability(Cause.DISK_REFUSES)
        permission = node.recall.permission.raised(node.engine.permission.fence)
        refusal = permission.refusal(Height(node.store.state.height + 1))
        if refusal is not None:
            cause = REFUSALS[refusal]
            return Ability(cause, permission.vote_from if cause in ENDING_AT_A_HEIGHT else Height(0))
        if self.clock_behind_ms:
            return Ability(Cause.CLOCK_BEHIND)
        if node.write_times.vote_s * 1000 > node.round_lengths_ms[1]:
            return Ability(Cause.DISK_SLOW)
        if node.own.key in node.store.state.registry.validators and not node.engine.is_voting:
            return Ability(Cause.OTHER)
        return Ability()

    @property
    def clock_behind_ms(self) -> int:
        """By how much this node's clock is behind the time of the last block, if by more than honest clocks differ.

        Then the next block's time, which is later, is too far ahead of this clock: it neither proposes nor prepares.
        """
        state = self._node.store.state
        behind = state.time_ms - self._node.clock()
        return behind if behind > state.registry.parameters.clock_precision_ms else 0

    @property
    def is_explained(self) -> bool:
        """This node cannot vote for a cause that is a reason of its own, with its own remedy."""
        return self.own().cause in EXPLAINED

    def unable(self) -> dict[PublicKey, str]:
        """The validators that could not vote now, as far as this node knows, and why."""
        found = {}
        for each in self._node.store.state.registry.validators.validators:
            reason = self._why_unable(each.key)
            if reason:
                found[each.key] = reason
        return found

    def named(self, unable: Mapping[PublicKey, str]) -> str:
        """Members, each with the reason why it cannot vote."""
        nodes = self._node.store.state.registry.nodes
        return "; ".join(sorted(f"{nodes[key].member}: {reason}" for key, reason in unable.items()))

    def notes(self) -> Iterator[str]:
        """What endangers the next decision: connected validators that cannot vote, and a slow disk."""
        node, unable = self._node, self.unable()
        others = {key: why for key, why in unable.items() if why not in (NOT_CONNECTED, NOT_HEARD)}
        others.pop(node.own.key, None)
        if others:
            yield f"these validators cannot vote now: {self.named(others)}"
        times, (first_ms, longest_ms) = node.write_times, node.round_lengths_ms
        if times.vote_s * 1000 > first_ms:
            yield (
                f"the disk is slow: a synced write takes {times.typical_s * 1000:.0f} ms, and a decision needs "
                f"{WRITES_A_VOTE}, but a round begins with {first_ms} ms: blocks are late, and above {longest_ms} ms "
                "this node cannot vote; move the store to a faster disk"
            )

    def _why_unable(self, key: PublicKey) -> str:
        node = self._node
        following = node.store.state.height + 1
        if key == node.own.key:
            ability = self.own()
            return "" if ability.allows(following) else f"this node: {self._describe_own(ability)}"
        if not node.network.is_connected(key):
            return NOT_CONNECTED
        if key in node.sync.liars:
            return LIED
        claim = node.sync.claims.get(key)
        if claim is None:
            return NOT_HEARD
        return "" if claim.ability.allows(max(following, claim.height + 1)) else str(claim.ability)

    def _describe_own(self, ability: Ability) -> str:
        if ability.cause is Cause.CLOCK_BEHIND:
            return (
                f"its clock is {self.clock_behind_ms} ms behind the time of the last block: check NTP; if the clocks "
                "of the others are right, correct this one; if all were set back, it ends in that time by itself"
            )
        if ability.cause is Cause.OTHER:
            return "it does not sign, and nothing that it knows of prevents it: start it again, and report a defect"
        return str(ability)
