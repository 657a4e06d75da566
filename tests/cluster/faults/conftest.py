"""Trials: a network on its own ground for each fault, and the table when all are over.

These runs need root and take minutes, so they are collected only where `make cluster-faults` asks for them.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from tests.cluster.crowd import Cluster
from tests.cluster.faults.ground import ASKED, Ground
from tests.cluster.faults.table import Row, markdown
from tests.cluster.faults.trial import Trial
from tests.cluster.faults.weather import ROOT, make_sky

from notarium_ledger.signing import SigningKey
from notarium_node.demo.local_network import Institution, LocalNetwork

REPORT = ROOT / ".bench" / "cluster-faults.md"
VALIDATORS = 4

collect_ignore_glob = [] if os.environ.get(ASKED) else ["test_faults_*.py"]

rows = pytest.StashKey[list[Row]]()
skies = pytest.StashKey[set[str]]()
began = pytest.StashKey[float]()

OpenTrial = Callable[..., AbstractAsyncContextManager[Trial]]


def pytest_configure(config: pytest.Config) -> None:
    """What the table is made of."""
    config.stash[rows], config.stash[skies], config.stash[began] = [], set(), time.monotonic()


@pytest.fixture
def trial(tmp_path: Path, say: Callable[[str], None], request: pytest.FixtureRequest) -> OpenTrial:
    """Opens a trial: ground, a founded network that runs (unless `start` is False), a row in the table.

    Whatever happens, nothing of it is left.
    """

    @asynccontextmanager
    async def open_trial(
        fault: str,
        extra_config: str = "",
        start: bool = True,
        validators: int = VALIDATORS,
        parameters: dict[str, int] | None = None,
    ) -> AsyncIterator[Trial]:
        row = Row(fault)
        request.config.stash[rows].append(row)
        with Ground() as ground:
            hosts = [ground.add_host() for _ in range(validators)]
            researcher = SigningKey(os.urandom(32))
            network = LocalNetwork.create(
                tmp_path / "network",
                [Institution(f"m{number}", f"Member {number}") for number in range(validators)],
                researchers=[("m0", researcher.public)],
                parameters=parameters,
                extra_config=extra_config,
                hosts=[host.address for host in hosts],
            )
            for node, host in zip(network.nodes, hosts, strict=True):
                node.prefix = host.prefix
            sky = make_sky(ground)
            request.config.stash[skies].add(sky.name)
            each = Trial(Cluster(network, researcher), ground, sky, row, say)
            say(fault)
            try:
                if start:
                    network.start()
                    network.wait_ready()
                yield each
            except BaseException as error:
                row.problem = str(error).strip().partition("\n")[0] or type(error).__name__
                raise
            finally:
                await each.load.cancel()
                await each.watch.stop()
                for node in network.nodes:
                    node.kill()
                sky.clear()

    return open_trial


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table, on the screen and in a file."""
    if not config.stash[rows]:
        return
    made: list[Row] = config.stash[rows]
    used: set[str] = config.stash[skies]
    text = markdown(made, " and ".join(sorted(used)), time.monotonic() - config.stash[began])
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(text)
    terminalreporter.write_line("")
    terminalreporter.write_line(text)
    terminalreporter.write_line(f"written to {REPORT.relative_to(ROOT)}")
