"""Sieges: a network for each attack, and the table when all are over.

These runs take minutes, so they are collected only where `make siege` asks for them.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.cluster.crowd import Cluster
from tests.cluster.siege import table
from tests.cluster.siege.attackers import Orders
from tests.cluster.siege.gauge import ASKED, Figures, Gauge
from tests.cluster.siege.judge import Limits, problems

from notarium_ledger.signing import SigningKey
from notarium_node.demo.local_network import Institution, LocalNetwork, LocalNode

ROOT = Path(__file__).parents[3]
REPORT = ROOT / ".bench" / "siege.md"
VALIDATORS = 4
READY_S = 60.0
STOP_S = 30.0
REST_S = 20.0

collect_ignore_glob = [] if os.environ.get(ASKED) else ["test_siege_*.py"]

rows = pytest.StashKey[list[Figures]]()
began = pytest.StashKey[float]()


def pytest_configure(config: pytest.Config) -> None:
    """What the table is made of."""
    config.stash[rows], config.stash[began] = [], time.monotonic()


class Besieged:
    """A network with researchers of two institutions, and its attackers."""

    def __init__(
        self, cluster: Cluster, seeds: tuple[bytes, bytes], figures: Figures, say: Callable[[str], None]
    ) -> None:
        self.cluster = cluster
        self.mine = cluster.researcher
        """Of m0."""
        self.seed, self.other_seed = seeds
        """Of m0's researcher, and of m1's."""
        self.figures = figures
        self.say = say

    @property
    def nodes(self) -> list[LocalNode]:
        """All of them, validators first."""
        return self.cluster.nodes

    def orders(self, kind: str, connections: int, victim: int = 0, **more: object) -> Orders:
        """Attackers of one node."""
        genesis = str(self.cluster.network.genesis_file)
        return Orders(kind, self.nodes[victim].api, connections, genesis=genesis, **more)  # type: ignore[arg-type]

    @asynccontextmanager
    async def attackers(self, orders: Orders) -> AsyncIterator[None]:
        """They are at work within."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.cluster.siege.attackers"),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(asdict(orders)).encode() + b"\n")
            async with asyncio.timeout(READY_S):
                assert await process.stdout.readline() == b"ready\n"
            yield
            async with asyncio.timeout(STOP_S):
                said, _ = await process.communicate(b"\n")
            result = json.loads(said)
            self.figures.answers.update(result["answers"])
            self.figures.no_retry_after += result["no_retry_after"]
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def withstand(
        self,
        *orders: Orders,
        seconds: float,
        limits: Limits,
        at: tuple[int, ...] = (0, 1),
        rest_s: float = REST_S,
    ) -> None:
        """Be attacked for so long, with an honest researcher of m0 at each node of `at`, and stay within the limits."""
        honest = [(self.nodes[number], self.mine, "m0") for number in at]
        gauge = Gauge(self.cluster, self.figures, honest)
        await gauge.begin()
        self.say(f"{self.figures.attack}: {seconds:.0f} s")
        async with _together([self.attackers(each) for each in orders]):
            await asyncio.sleep(seconds)
        await gauge.end()
        await gauge.rest(rest_s)
        self.say(
            f"memory {self.figures.before_mib:.0f}, most {self.figures.most_mib:.0f}, at rest "
            f"{self.figures.rest_mib:.0f} MiB; {len(self.figures.waits_s)} honest entries, p50 "
            f"{self.figures.p50_s:.2f} s, p99 {self.figures.p99_s:.2f} s, {self.figures.failed} failed; "
            f"{dict(self.figures.answers)}"
        )
        self.figures.problems = problems(self.figures, limits)
        assert not self.figures.problems, "; ".join(self.figures.problems)
        assert all(node.is_running() for node in self.nodes if node.process is not None)


@asynccontextmanager
async def _together(contexts: list[AbstractAsyncContextManager[None]]) -> AsyncIterator[None]:
    """All of them at once; they begin together."""
    entered = await asyncio.gather(*(each.__aenter__() for each in contexts))
    assert len(entered) == len(contexts)
    try:
        yield
    finally:
        await asyncio.gather(*(each.__aexit__(None, None, None) for each in contexts))


OpenSiege = Callable[..., AbstractAsyncContextManager[Besieged]]


@pytest.fixture
def siege(tmp_path: Path, say: Callable[[str], None], request: pytest.FixtureRequest) -> OpenSiege:
    """Opens a siege: a founded network that runs, and a row in the table. Whatever happens, nothing of it is left."""

    @asynccontextmanager
    async def open_siege(attack: str, observer: bool = False, extra_config: str = "") -> AsyncIterator[Besieged]:
        figures = Figures(attack)
        request.config.stash[rows].append(figures)
        seeds = os.urandom(32), os.urandom(32)
        mine, other = map(SigningKey, seeds)
        network = LocalNetwork.create(
            tmp_path / "network",
            [Institution(f"m{number}", f"Member {number}") for number in range(VALIDATORS)],
            observers=["m0"] if observer else [],
            researchers=[("m0", mine.public), ("m1", other.public)],
            extra_config=extra_config,
        )
        try:
            network.start()
            await asyncio.to_thread(network.wait_ready)
            yield Besieged(Cluster(network, mine), seeds, figures, say)
        except BaseException as error:
            figures.problems = figures.problems or [str(error).strip().partition("\n")[0] or type(error).__name__]
            raise
        finally:
            for node in network.nodes:
                node.kill()

    return open_siege


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table, on the screen and in two files."""
    made: list[Figures] = config.stash[rows]
    if not made:
        return
    text = table.markdown(made, time.monotonic() - config.stash[began])
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(text)
    REPORT.with_suffix(".json").write_text(json.dumps(table.document(made), indent=1) + "\n")
    terminalreporter.write_line("")
    terminalreporter.write_line(text)
    terminalreporter.write_line(f"written to {REPORT.relative_to(ROOT)}")
