"""The demo's consortium: who founds it, where its files are, and that no process of it is left running.

<directory>/genesis.json, network.json, <member>/ ...   the network (local_network.py)
<directory>/home/                                       the researcher's key, cache and settings
<directory>/study/                                      what the researcher works on
"""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from notarium.key_files import create_key
from notarium.project import Homes, create_project
from notarium_node.demo.local_network import Institution, LocalNetwork, LocalNode, NetworkError
from notarium_node.startup import StartupError

LEDGER = "Northern Oncology Ledger"
RESEARCHER_AT = "nordhafen"
OBSERVER_AT = "vasterhav"
INSTITUTIONS = (
    Institution(RESEARCHER_AT, "Universitätsklinikum Nordhafen"),
    Institution("rijnmond", "Rijnmond Medical Centre"),
    Institution("curval", "Institut Curval, Lyon"),
    Institution(OBSERVER_AT, "Västerhav Cancer Research Institute"),
)
PROJECT = "cytology-malignancy"
Handler = Callable[[int, object], None] | signal.Handlers
MARKER = ".notarium-demo"
"""Marks a directory as the demo's, which may be removed."""


class DemoError(Exception):
    """The demo cannot go on. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """The demo's directory."""

    directory: Path

    @property
    def study(self) -> Path:
        """The researcher's files, with their records and receipts."""
        return self.directory / "study"

    @property
    def home(self) -> Path:
        """Replaces the user's configuration and cache folders (NOTARIUM_HOME)."""
        return self.directory / "home"

    def exists(self) -> bool:
        """Whether a demo was run here."""
        return (self.directory / MARKER).is_file()

    def is_running(self) -> bool:
        """Whether a node of an earlier demo runs here. Raises DemoError."""
        if not self.exists() or not (self.directory / "network.json").is_file():
            return False
        return any(node.is_running() for node in self.network().nodes)

    def network(self) -> LocalNetwork:
        """The network founded here earlier. Raises DemoError."""
        try:
            return LocalNetwork.open(self.directory)
        except (OSError, ValueError, StartupError) as error:
            raise DemoError(f"there is no network in {self.directory} ({error}): run the demo first") from error

    def found(self) -> LocalNetwork:
        """Stop and remove an earlier demo here, then found the consortium and the researcher's project."""
        self._clear()
        self.study.mkdir(parents=True)
        (self.directory / MARKER).touch()
        homes = Homes.of({"NOTARIUM_HOME": str(self.home)})
        key = create_key(homes.key_file(LEDGER))
        network = LocalNetwork.create(
            self.directory,
            INSTITUTIONS,
            observers=[OBSERVER_AT],
            researchers=[(RESEARCHER_AT, key.public)],
            name=LEDGER,
        )
        nodes = [node.api for node in network.validators]
        create_project(self.study, network.genesis, nodes, RESEARCHER_AT, PROJECT)
        return network

    def _clear(self) -> None:
        if self.exists():
            if (self.directory / "network.json").is_file():
                stop(self.network())
            shutil.rmtree(self.directory)
        elif self.directory.exists() and any(self.directory.iterdir()):
            raise DemoError(f"{self.directory} has files that are not a demo's: name another with --directory")


def institution(member: str) -> str:
    """Its name."""
    return next(each.name for each in INSTITUTIONS if each.id == member)


def label(node: LocalNode) -> str:
    """The node's name in the story."""
    return institution(node.member) if node.role == "validator" else f"observer at {institution(node.member)}"


@contextmanager
def stopped_at_the_end(network: LocalNetwork) -> Iterator[None]:
    """No node runs after the block, even after a failure, Ctrl-C, SIGTERM or a closed terminal."""
    with _interrupted_by_signals():
        try:
            yield
        finally:
            with _ignoring_signals():
                stop(network)


@contextmanager
def stopped_on_failure(network: LocalNetwork) -> Iterator[None]:
    """As `stopped_at_the_end`, but the nodes keep running where the block succeeds."""
    with _interrupted_by_signals():
        try:
            yield
        except BaseException:
            with _ignoring_signals():
                stop(network)
            raise


def stop(network: LocalNetwork) -> None:
    """Stop every node; kill one that does not stop."""
    try:
        network.stop()
    except NetworkError:
        for node in network.nodes:
            node.kill()


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _interrupted_by_signals() -> AbstractContextManager[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does, so that `finally` runs."""
    return _handling((signal.SIGTERM, signal.SIGHUP), _interrupt)


def _ignoring_signals() -> AbstractContextManager[None]:
    """A second Ctrl-C must not leave processes running."""
    return _handling((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), signal.SIG_IGN)


@contextmanager
def _handling(signals: Sequence[signal.Signals], handler: Handler) -> Iterator[None]:
    before = [(each, signal.signal(each, handler)) for each in signals]
    try:
        yield
    finally:
        for each, previous in before:
            signal.signal(each, previous)
