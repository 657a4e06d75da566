"""The validator set changes while the network is cut and nodes die."""

from __future__ import annotations

import asyncio

import pytest
from tests.cluster.faults.assembly import card_of, set_node
from tests.cluster.faults.ground import split
from tests.cluster.faults.trial import LEVEL_LIMIT_S

pytestmark = pytest.mark.cluster

HELD_S = 5.0
NOTICED_S = 15.0
"""More than two heartbeats."""
MIB = 1 << 20


async def test_voted_in_while_another_is_cut_off_and_killed_at_once(trial):
    """Four become five, so Q grows from three to four while three are at hand."""
    async with trial("voted in while a validator is cut off, then SIGKILL of the new one") as each:
        await each.calm(each.nodes[:3])
        newcomer = each.assembly.newcomer(each.ground.add_host(), "late")
        majority, cut_off = each.nodes[:3], each.nodes[3]
        async with each.fault():
            each.ground.cut(split([0, 1, 2, 4], [3]))
            await each.hold(1.0, f"{cut_off.name} cut off")
            await each.assembly.admit(newcomer, ["m0", "m1", "m2"], majority)
            each.say(f"{newcomer.name} is voted in at block {each.watch.highest}; without it three of five")
            newcomer.start()
            each.watch.add(newcomer)
            top = each.watch.highest
            took = await each.until(
                lambda: each.watch.heights.get(newcomer.name, 0) > top + 1, "the fourth vote of five", LEVEL_LIMIT_S
            )
            each.say(f"its vote makes the quorum {took:.1f} s after its first start")
            await each.kill(newcomer)
            await each.hold(HELD_S, f"{newcomer.name} dead")
            each.ground.cut({})
        await each.recover(goes_on=None, nodes=each.nodes)
        newcomer.start()
        each.cluster.network.nodes.append(newcomer)
        back = await each.votes(newcomer)
        each.row.note = f"the new one votes {took:.1f} s after its first start, {back:.1f} s after its second"
        await each.is_needed(newcomer, each.nodes[1])
        await each.verdict()


async def test_the_proposer_dies_and_the_votes_meet_a_partition(trial):
    """m3 replaces its validator's key. m0 proposes it and dies; m1 and m2 vote on two sides of a cut."""
    async with trial("a validator's key replaced: proposer killed, votes given in a partition") as each:
        await each.calm()
        replacement = each.assembly.newcomer(each.ground.add_host(), "m3", known=True)
        proposer, first, second, old = each.nodes
        async with each.fault():
            proposal = await each.assembly.propose("m0", set_node(card_of(replacement)), [proposer])
            await each.kill(proposer)
            each.ground.cut(split([0, 1], [2, 3, 4]))
            votes = [
                asyncio.create_task(each.assembly.vote(member, proposal, [node]))
                for member, node in (("m1", first), ("m2", second))
            ]
            await each.hold(HELD_S, f"{proposer.name} dead, {first.name} alone")
            assert not any(vote.done() for vote in votes), "a vote was decided without a quorum"
            each.ground.cut({})
            await asyncio.gather(*votes)
            each.say(f"the votes are decided; {old.name} is out")
            await asyncio.to_thread(old.stop)
            await each.hold(HELD_S, "two of four")
            replacement.start()
            each.watch.add(replacement)
        network = each.cluster.network
        network.nodes[3] = replacement
        await each.recover(goes_on=None, nodes=[first, second, replacement])
        proposer.start()
        await asyncio.to_thread(network.wait_ready, [proposer])
        await each.is_needed(replacement, first)
        await each.verdict()


async def test_voted_out_while_cut_off(trial):
    """Five become four; the fifth does not hear of it, and one of the four dies right after the vote."""
    async with trial("voted out while cut off, and SIGKILL of one of those who stay", validators=5) as each:
        await each.calm(each.nodes[:4])
        stay, out = each.nodes[:4], each.nodes[4]
        async with each.fault():
            each.ground.cut(split([0, 1, 2, 3], [4]))
            await each.hold(1.0, f"{out.name} cut off")
            action = {"type": "remove-node", "key": bytes(out.public_key)}
            await each.assembly.agree(["m0", "m1", "m2", "m3"], action, stay)
            each.say(f"{out.name} is voted out at block {each.watch.highest}")
            await each.kill(stay[1])
            await each.hold(HELD_S, f"{stay[1].name} dead, three of four left")
            each.ground.cut({})
            stay[1].start()
        await each.recover(goes_on=True, nodes=stay)
        # Where the cut ate the others' goodbye, only its heartbeat shows that the connections have ended.
        took_s = await each.until(lambda: not out.get("/readyz")["ready"], "it to notice that it is out", NOTICED_S)
        each.say(f"{out.name} after {took_s:.1f} s: {out.get('/readyz')['reasons']}")
        await each.verdict(stay, left_behind=[out])


async def test_a_full_disk_while_a_validator_is_voted_in(trial):
    small = f"[store]\nmin_free_bytes = {16 * MIB}\nwrite_buffer_bytes = {MIB}\n"
    async with trial("disk of one validator full while another is voted in", small, start=False) as each:
        victim = each.nodes[1]
        each.ground.small_disk(victim.directory / "store", "64m")
        each.cluster.network.start()
        await asyncio.to_thread(each.cluster.network.wait_ready)
        others = [each.nodes[0], *each.nodes[2:]]
        await each.calm(others)
        newcomer = each.assembly.newcomer(each.ground.add_host(), "late")
        ballast = victim.directory / "store" / "ballast"
        async with each.fault():
            ballast.write_bytes(b"\0" * (50 * MIB))
            await each.assembly.admit(newcomer, ["m0", "m2", "m3"], others)
            newcomer.start()
            each.watch.add(newcomer)
            await each.hold(HELD_S, "disk full")
            reasons = victim.get("/readyz")["reasons"]
            assert any("disk is full" in reason for reason in reasons), reasons
            ballast.unlink()
        await each.recover(goes_on=True, nodes=[*each.nodes, newcomer])
        each.cluster.network.nodes.append(newcomer)
        await each.is_needed(victim, others[0])
        await each.verdict()
