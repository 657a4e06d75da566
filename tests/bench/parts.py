"""The parts of the benchmark: each gives a task to a load generator and keeps the figures."""

from __future__ import annotations

import itertools
import json
import secrets
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.bench.load import Form, Measurement, Task
from tests.bench.material import MEMBER
from tests.bench.spent import rss_mb

from notarium_ledger.entries.commitment import PARAMETER_LIMITS
from notarium_ledger.signing import SigningKey
from notarium_node.demo.local_network import Institution, LocalNetwork

ROOT = Path(__file__).parents[2]
INSTITUTIONS = [Institution(MEMBER, "Clinic A"), *(Institution(f"clinic-{x}", f"Clinic {x.upper()}") for x in "bcd")]

IDLE_WARM_UP = 40
BATCH_SIGNED_SIZE, BATCH_SIGNED_CLIENTS = 1_000, 8
FILL_SIZE = 1_000


class BenchError(Exception):
    """A part could not be measured."""


@dataclass(frozen=True, slots=True)
class Part:
    """A measured part."""

    name: str
    what: str
    measurement: Measurement
    blocks: int
    """Decided during the part, its warm-up included."""
    entries: int
    """Likewise."""

    @property
    def entries_per_block(self) -> float:
        """How well blocks fill."""
        return self.entries / self.blocks if self.blocks else 0.0


@dataclass(slots=True)
class Bench:
    """One consortium under load."""

    network: LocalNetwork
    seed: bytes
    _series: Iterator[int] = field(default_factory=itertools.count)

    @property
    def pids(self) -> list[int]:
        """Of all nodes: the validators, then the observer."""
        processes = [node.process for node in self.network.nodes]
        return [process.pid for process in processes if process is not None]

    @property
    def entries(self) -> int:
        """In the ledger, as the first validator knows it."""
        return int(self.network.validators[0].status()["tree_size"])

    def idle(self, samples: int) -> Part:
        """One client, one entry after the other, signing included."""
        return self._part("idle", "1 client", "idle", 1, 1, requests=samples, sign_ahead=False)

    def single(self, seconds: float, clients: int = 64, requests: int = 0) -> Part:
        """Many clients with one single-signed entry each at a time."""
        what = f"{clients} clients"
        return self._part(
            f"single_{clients}", what, "single", clients, 1, seconds=seconds, requests=requests, warm_up=clients * 8
        )

    def batch(self, seconds: float, clients: int = 8, size: int = 100) -> Part:
        """Requests of many single-signed entries."""
        what = f"{clients} × {size:,} entries"
        return self._part(f"batch_{size}", what, "batch", clients, size, seconds=seconds, warm_up=clients * 3)

    def batch_signed(self, seconds: float) -> Part:
        """Requests of entries under one signature."""
        clients, size = BATCH_SIGNED_CLIENTS, BATCH_SIGNED_SIZE
        what = f"{clients} × {size:,} signed once"
        return self._part("batch_signed", what, "batch-signed", clients, size, seconds=seconds, warm_up=clients * 2)

    def fill(self, total: int) -> None:
        """Bring the ledger to at least `total` entries."""
        missing = total - self.entries
        if missing > 0:
            requests = -(-missing // FILL_SIZE)
            self._part("fill", "", "batch-signed", 4, FILL_SIZE, requests=requests, sign_ahead=False, warm_up=0)

    def memory_mb(self) -> float:
        """Of the largest validator."""
        return max(rss_mb(pid) for pid in self.pids[: len(self.network.validators)])

    def _part(
        self,
        name: str,
        what: str,
        form: Form,
        clients: int,
        per_request: int,
        *,
        seconds: float = 0.0,
        requests: int = 0,
        warm_up: int = IDLE_WARM_UP,
        sign_ahead: bool = True,
    ) -> Part:
        task = Task(
            form=form,
            sign_ahead=sign_ahead,
            clients=clients,
            per_request=per_request,
            requests=requests,
            seconds=seconds,
            warm_up_requests=warm_up,
            ports=[node.api_port for node in self.network.validators],
            pids=self.pids,
            genesis_file=str(self.network.genesis_file),
            seed=self.seed.hex(),
            series=str(next(self._series)),
        )
        before = self.network.validators[0].status()
        measurement = _generate(task)
        after = self.network.validators[0].status()
        return Part(
            name, what, measurement, after["height"] - before["height"], after["tree_size"] - before["tree_size"]
        )


@contextmanager
def consortium(directory: Path) -> Iterator[Bench]:
    """Four validators and one observer below `directory`, running until the end of the block."""
    seed = secrets.token_bytes(32)
    network = LocalNetwork.create(
        directory,
        INSTITUTIONS,
        observers=[INSTITUTIONS[-1].id],
        researchers=[(MEMBER, SigningKey(seed).public)],
        name="benchmark",
        # What a key may do by default is less than what is measured.
        parameters={
            name: high for name, (_, high) in PARAMETER_LIMITS.items() if "_second_" in name or "_day_" in name
        },
    )
    try:
        network.start()
        network.wait_ready()
        yield Bench(network, seed)
    finally:
        network.stop()


def growth(small: Bench, large: Bench, rounds: int, samples: int, requests: int) -> dict[str, float]:
    """How much slower the fuller of two ledgers takes entries: ratios of the medians of p50s.

    Both run at the same time and are asked in turn, so that a change of the machine's mood meets both.
    """
    p50s: dict[str, list[tuple[float, float]]] = {"idle": [], "64": []}
    for _ in range(rounds):
        p50s["idle"].append((small.idle(samples).measurement.quantile_ms(0.5), _p50(large.idle(samples))))
        p50s["64"].append((_p50(small.single(0, requests=requests)), _p50(large.single(0, requests=requests))))
    return {
        f"growth_{name}": statistics.median(b for _, b in pairs) / statistics.median(a for a, _ in pairs)
        for name, pairs in p50s.items()
    }


def _p50(part: Part) -> float:
    return part.measurement.quantile_ms(0.5)


def _generate(task: Task) -> Measurement:
    """Run a load generator to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load"],
        input=json.dumps(asdict(task)),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"the load generator failed at {task.form}:\n{done.stderr[-3000:]}")
    return Measurement(**json.loads(done.stdout))
