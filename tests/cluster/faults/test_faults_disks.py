"""Disks that are full, damaged or gone."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from tests.support.damage import damage_unseen

pytestmark = pytest.mark.cluster

MIB = 1 << 20
FULL_S = 8.0
DEAD_S = 4.0
REFUSED_S = 20.0
STEP = 1021
"""Between two places where damage is tried."""
SMALL_STORE = f"[store]\nmin_free_bytes = {16 * MIB}\nwrite_buffer_bytes = {MIB}\n"


async def test_a_full_disk(trial):
    async with trial("disk of one validator full", SMALL_STORE, start=False) as each:
        victim = each.nodes[1]
        each.ground.small_disk(victim.directory / "store", "64m")
        each.cluster.network.start()
        await asyncio.to_thread(each.cluster.network.wait_ready)
        await each.calm()
        ballast = victim.directory / "store" / "ballast"
        async with each.fault():
            with ballast.open("wb") as file:
                file.write(b"\0" * (50 * MIB))
            await each.hold(FULL_S, "disk full")
            reasons = victim.get("/readyz")["reasons"]
            assert any("not voting" in reason and "disk is full" in reason for reason in reasons), reasons
            ballast.unlink()
        await each.recover(goes_on=True)
        await each.verdict()


def overwrite(path: Path) -> None:
    """The middle half becomes nonsense."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 4)
        file.write(b"\xa5" * (size // 2))


DAMAGES = [("MANIFEST-*", overwrite), ("*.ldb", overwrite), ("*.log", overwrite), ("CURRENT", overwrite)]


async def test_damage_not_seen_at_the_start_and_a_wiped_neighbour(trial):
    """The damaged one votes on, says what it cannot read, and whoever catches up turns to the others."""
    async with trial("a table damaged unseen, its neighbour's disk wiped", SMALL_STORE) as each:
        damaged, wiped = each.nodes[0], each.nodes[1]
        await each.calm()
        await each.hold(3, "before")
        await asyncio.to_thread(damaged.stop)
        damaged.start()
        await asyncio.to_thread(each.cluster.network.wait_ready, [damaged])
        await each.hold(1, "before")
        async with each.fault():
            await asyncio.to_thread(damaged.kill)
            place = await asyncio.to_thread(
                damage_unseen, damaged.directory / "store", each.cluster.network.genesis, STEP
            )
            damaged.start()
            await asyncio.to_thread(each.cluster.network.wait_ready, [damaged])
            each.say(f"bit at {place} of a table of {damaged.name} turned over; it runs")
            await asyncio.to_thread(wiped.kill)
            shutil.rmtree(wiped.directory / "store")
            await each.hold(DEAD_S, f"{wiped.name} wiped")
        wiped.start()
        await each.recover(goes_on=True)
        heights = range(1, damaged.status()["height"] + 1)
        unread = [
            problem for height in heights if (problem := damaged.get(f"/v1/blocks/{height}")).get("status") == 500
        ]
        each.say(f"{damaged.name} cannot read {len(unread)} blocks: {unread[0]['detail'] if unread else ''}")
        assert unread, "the damage is nowhere"
        assert "checksum" in unread[0]["detail"]
        assert any("the store is damaged" in reason for reason in damaged.get("/readyz")["reasons"])
        await each.verdict([node for node in each.nodes if node is not damaged])


async def test_a_damaged_store_is_refused_and_a_wiped_one_comes_back(trial):
    async with trial("LevelDB files of one validator damaged, then wiped", SMALL_STORE) as each:
        await each.calm()
        victim = each.nodes[1]
        store = victim.directory / "store"
        # A clean restart writes the log into a table, so that there is one to damage.
        await asyncio.to_thread(victim.stop)
        victim.start()
        await asyncio.to_thread(each.cluster.network.wait_ready, [victim])
        await each.hold(2, "before")
        async with each.fault():
            await asyncio.to_thread(victim.kill)
            sound = victim.directory / "sound"
            shutil.copytree(store, sound)
            for pattern, damage in DAMAGES:
                target = max(store.glob(pattern), key=lambda path: path.stat().st_size)
                damage(target)
                said = victim.log.stat().st_size
                victim.start()
                await each.until(lambda: not victim.is_running(), f"a refusal of damaged {target.name}", REFUSED_S)
                message = victim.log.read_bytes()[said:].decode().strip().splitlines()[-1]
                each.say(f"{target.name} damaged, exit code {victim.process.returncode}: {message}")
                assert victim.process.returncode not in (0, -6, -11)
                assert str(store) in message
                shutil.rmtree(store)
                shutil.copytree(sound, store)
            shutil.rmtree(sound)
            await each.hold(DEAD_S, "the damaged one does not run")
            shutil.rmtree(store)
        victim.start()
        await each.recover(goes_on=True)
        forgot = "does not remember what its key has signed"
        await each.until(
            lambda: forgot in victim.log.read_text(), "the victim's notice that its store is new", REFUSED_S
        )
        await each.verdict()
