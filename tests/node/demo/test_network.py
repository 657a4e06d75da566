"""The demo's directory and its signals: only its own files are removed, and no node survives a signal."""

import os
import signal
from typing import Any

import pytest

from notarium_node.demo import network
from notarium_node.demo.__main__ import Demo
from notarium_node.demo.local_network import LocalNetwork, LocalNode, NetworkError
from notarium_node.demo.network import MARKER, DemoError, Place, stop, stopped_at_the_end, stopped_on_failure
from notarium_node.demo.story import Story


class Nodes:
    """Stands for a network; counts how often it was stopped."""

    def __init__(self, error=None):
        self.stopped, self.killed, self.error, self.nodes = 0, 0, error, [self]

    def stop(self):
        self.stopped += 1
        if self.error:
            raise self.error

    def kill(self):
        self.killed += 1


def test_a_directory_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(DemoError, match="not a demo's"):
        Place(tmp_path).found()
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_directory_without_a_network_says_what_to_do(tmp_path):
    assert not Place(tmp_path).exists()
    with pytest.raises(DemoError, match="run the demo first"):
        Place(tmp_path).network()
    (tmp_path / "network.json").write_text("[]")
    with pytest.raises(DemoError, match="run the demo first"):
        Place(tmp_path).network()


def test_an_earlier_demo_is_replaced(tmp_path):
    place = Place(tmp_path / "demo")
    place.study.mkdir(parents=True)
    (place.directory / MARKER).touch()
    (place.study / "old.txt").touch()
    made = place.found()
    assert place.exists()
    assert not (place.study / "old.txt").exists()
    assert place.network().genesis.hash == made.genesis.hash
    assert (place.study / ".notarium").is_dir()
    assert len(made.validators) == len(network.INSTITUTIONS)


def test_a_demo_says_that_it_stops_and_replaces_the_one_that_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    place = Place(tmp_path / "demo")
    said = "A demo network is running in demo: it is stopped and its ledger replaced."
    Demo(place, Story())._found()
    Demo(place, Story())._found()
    assert said not in capsys.readouterr().out, "none was running"
    stopped: list[LocalNetwork] = []
    monkeypatch.setattr(LocalNode, "is_running", lambda self: True)
    monkeypatch.setattr(network, "stop", stopped.append)
    Demo(place, Story())._found()
    assert said in capsys.readouterr().out
    assert len(stopped) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_block_and_stops_the_nodes(number):
    nodes: Any = Nodes()
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), stopped_at_the_end(nodes):
        os.kill(os.getpid(), number)
    assert nodes.stopped == 1
    assert signal.getsignal(number) is before


def test_nodes_go_on_only_where_all_went_well():
    nodes: Any = Nodes()
    with stopped_on_failure(nodes):
        pass
    assert nodes.stopped == 0
    with pytest.raises(ValueError, match="why"), stopped_on_failure(nodes):
        raise ValueError("why")
    assert nodes.stopped == 1


def test_a_node_that_does_not_stop_is_killed():
    nodes: Any = Nodes(NetworkError("it hangs"))
    stop(nodes)
    assert (nodes.stopped, nodes.killed) == (1, 1)
