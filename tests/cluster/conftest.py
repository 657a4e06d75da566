"""Networks of real processes, and a voice: progress is printed although pytest captures output."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cluster.crowd import Cluster

from notarium_ledger.signing import SigningKey
from notarium_node.demo.local_network import Institution, LocalNetwork


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a line of progress with the seconds since the test began."""
    began = time.monotonic()

    def print_line(text: str) -> None:
        with capsys.disabled():
            print(f"\n  {time.monotonic() - began:6.1f} s  {text}", end="", flush=True)

    return print_line


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Callable[..., Cluster]]:
    """Founds networks; whatever happens, none of their processes outlives the test."""
    made: list[LocalNetwork] = []

    def make(validators: int = 4, observer: bool = True, extra_config: str = "", start: bool = True) -> Cluster:
        researcher = SigningKey(os.urandom(32))
        network = LocalNetwork.create(
            tmp_path / f"network{len(made)}",
            [Institution(f"m{number}", f"Member {number}") for number in range(validators)],
            observers=["m0"] if observer else [],
            researchers=[("m0", researcher.public)],
            extra_config=extra_config,
        )
        made.append(network)
        if start:
            network.start()
            network.wait_ready()
        return Cluster(network, researcher)

    yield make
    for network in made:
        for node in network.nodes:
            node.kill()
