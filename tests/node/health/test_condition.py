"""What a node says of itself beyond whether it is ready."""

from tests.mistakes.nodes import cluster, eventually

from notarium_consensus.permission import MARGIN


async def test_a_validator_that_lost_its_store_is_ready_and_says_from_when_on_it_votes(tmp_path):
    async with cluster(tmp_path) as made:
        await made.decided(await made.submit(0))
        assert made.nodes[0].condition.status()["notes"] == []
        await made.stop(3)
        made.directory(3).rename(tmp_path / "lost")
        await made.decided(await made.submit(0), 0, 1, 2)
        await made.start(3)
        condition = made.nodes[3].condition
        await eventually(lambda: condition.status()["notes"])
        said = condition.status()
        fence = said["height"] + MARGIN
        assert (said["ready"], said["reasons"], said["voting"], said["votes_from"]) == (True, [], False, fence)
        [note] = said["notes"]
        assert note.startswith(f"votes from height {fence} on: below that height its key may have signed ")
        for _ in range(MARGIN - 1):
            assert condition.notes() == [note]
            await made.decided(await made.submit(0))
        assert condition.notes() == []
        await eventually(lambda: condition.status()["voting"])


async def test_a_validator_that_its_operator_silenced_says_so(tmp_path):
    async with cluster(tmp_path, run=(0,), vote_from=7) as made:
        [note] = made.nodes[0].condition.notes()
        assert note.startswith("votes from height 7 on: its operator set consensus.vote_from")
