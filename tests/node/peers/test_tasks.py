"""Work for peers in the background: its failure is logged and counted, and the node's end cancels it."""

import asyncio
from collections import Counter

from structlog.testing import capture_logs
from tests.node.parts import until

from notarium_node.health.events import NodeEvent
from notarium_node.peers.tasks import PeerTasks


async def fail():
    raise KeyError("defect")


async def test_a_failure_is_logged_and_counted_and_the_others_go_on():
    counts = Counter[str]()
    tasks, done = PeerTasks(counts), asyncio.Event()

    async def work():
        await done.wait()

    with capture_logs() as logs:
        tasks.begin(fail())
        tasks.begin(work())
        await until(lambda: len(tasks) == 1)
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("serving a peer failed", "error")
    assert isinstance(line["exc_info"], KeyError)
    assert counts == {NodeEvent.FAILED_TASK: 1}
    done.set()
    await until(lambda: len(tasks) == 0)
    assert counts[NodeEvent.FAILED_TASK] == 1


async def test_stop_cancels_what_runs_and_that_is_no_failure():
    counts = Counter[str]()
    tasks = PeerTasks(counts)
    cancelled = []

    async def work():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    tasks.begin(work())
    await asyncio.sleep(0)
    await tasks.stop()
    assert cancelled == [True]
    assert len(tasks) == 0
    assert not counts
