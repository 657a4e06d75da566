"""The demo's consortium: who founds it, where it lives, and that nothing of it is left running.

<directory>/genesis.json, network.json, <member>/ ...   the network, as `localnet` lays it out
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
"""Says that a directory is the demo's, and may be thrown away."""


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """The demo's directory."""

    directory: Path

    @property
    def study(self) -> Path:
        """What the researcher works on; receipts stand here."""
        return self.directory / "study"

    @property
    def home(self) -> Path:
        """Takes the place of the user's configuration and cache folders (NOTARIUM_HOME)."""
        return self.directory / "home"

    def exists(self) -> bool:
        """Whether a demo has been here."""
        return (self.directory / MARKER).is_file()

    def network(self) -> LocalNetwork:
        """The network founded here earlier. Raises DemoError."""
        try:
            return LocalNetwork.open(self.directory)
        except (OSError, ValueError) as error:
            raise DemoError(f"there is no network in {self.directory} ({error}): run the demo first") from error

    def found(self) -> LocalNetwork:
        """Stop and remove what an earlier demo left here, then found the consortium and the researcher's project."""
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
            raise DemoError(f"{self.directory} holds something else than a demo: name another with --directory")


def institution(member: str) -> str:
    """Its name."""
    return next(each.name for each in INSTITUTIONS if each.id == member)


def label(node: LocalNode) -> str:
    """How the story calls a node."""
    return institution(node.member) if node.role == "validator" else f"observer at {institution(node.member)}"


@contextmanager
def stopped_at_the_end(network: LocalNetwork) -> Iterator[None]:
    """Whatever happens within, be it failure, Ctrl-C, SIGTERM or a closed terminal: no node runs afterwards."""
    with _interrupted_by_signals():
        try:
            yield
        finally:
            with _deaf_to_signals():
                stop(network)


@contextmanager
def stopped_on_failure(network: LocalNetwork) -> Iterator[None]:
    """As `stopped_at_the_end`, but the nodes go on where all went well."""
    with _interrupted_by_signals():
        try:
            yield
        except BaseException:
            with _deaf_to_signals():
                stop(network)
            raise


def stop(network: LocalNetwork) -> None:
    """Stop every node; one that does not stop when asked is killed."""
    try:
        network.stop()
    except NetworkError:
        for node in network.nodes:
            node.kill()


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _interrupted_by_signals() -> AbstractContextManager[None]:
    """SIGTERM and SIGHUP end what runs within as Ctrl-C does, by way of `finally`."""
    return _handling((signal.SIGTERM, signal.SIGHUP), _interrupt)


def _deaf_to_signals() -> AbstractContextManager[None]:
    """A second Ctrl-C must not leave processes behind."""
    return _handling((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), signal.SIG_IGN)


@contextmanager
def _handling(signals: Sequence[signal.Signals], handler: Handler) -> Iterator[None]:
    before = [(each, signal.signal(each, handler)) for each in signals]
    try:
        yield
    finally:
        for each, previous in before:
            signal.signal(each, previous)
