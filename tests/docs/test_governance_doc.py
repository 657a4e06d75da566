"""docs/operations.md on governance without a command, joining after the founding, moving and a lost store: it works."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from notarium_ledger.entries.entry import encode_body
from notarium_node.demo.local_network import Institution, LocalNetwork, LocalNode, NetworkError, free_ports

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
MEMBERS = {"mercy": "Mercy Hospital", "north": "Northern University", "bio": "Bio Institute", "delta": "Delta Clinic"}
NODE = Path(sys.executable).with_name("notarium-node")


@pytest.fixture
def network(tmp_path):
    made = LocalNetwork.create(tmp_path / "network", [Institution(*each) for each in MEMBERS.items()])
    try:
        made.start()
        made.wait_ready()
        yield made
    finally:
        made.stop()


def governs(network: LocalNetwork, member: str, statement: str) -> str:
    """What `statement` prints at this member's desk, after the page's program."""
    ran = at_the_desk(network, member, statement)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def at_the_desk(network: LocalNetwork, member: str, statement: str) -> subprocess.CompletedProcess[str]:
    """The page's program with this member's files, and `statement` after it."""
    [program] = re.findall(r"<!-- tested: governance -->\n```python\n(.*?)```", PAGE, re.DOTALL)
    node = next(each for each in network.nodes if each.member == member)
    desk = {
        '"genesis.json"': repr(str(network.genesis_file)),
        '"https://node.mercy.example"': repr(node.api),
        '"mercy"': repr(member),
        '"offline/admin.key"': repr(str(node.directory / "keys" / "admin.key")),
    }
    for shown, local in desk.items():
        assert program.count(shown) == 1
        program = program.replace(shown, local)
    return subprocess.run(
        [sys.executable, "-c", f"{program}\nprint({statement})"], capture_output=True, text=True, timeout=60
    )


def approved(network: LocalNetwork, statement: str, approvals: int) -> str:
    """One member proposes, others vote, until it is in force; the proposal's id."""
    proposal = governs(network, "mercy", statement)
    assert [each["id"] for each in network.nodes[0].get("/v1/members")["proposals"]] == [proposal]
    for member in list(MEMBERS)[1:approvals]:
        governs(network, member, f"vote({proposal!r})")
    assert network.nodes[0].get("/v1/members")["proposals"] == []
    return proposal


@pytest.mark.slow
def test_a_parameter_is_changed_by_a_proposal_and_votes(network):
    [example] = re.findall(r'^propose\((.*type="set-parameter".*)\)$', PAGE, re.MULTILINE)
    proposal = approved(network, f"propose({example})", 3)
    assert network.nodes[0].get("/v1/members")["parameters"]["message_delay_ms"] == 3000
    # Who votes last is refused, with the words of the page.
    late = at_the_desk(network, "delta", f"vote({proposal!r})")
    [said] = re.findall(r"id, which\n`(is not open: .*)`", PAGE)
    assert f"the field proposal: {proposal} {said}" in late.stderr, late.stderr


def test_the_example_of_a_removed_node_is_an_action():
    [example] = re.findall(r'^propose\((.*type="remove-node".*)\)  #', PAGE, re.MULTILINE)
    action = eval(f"(lambda note, **action: action)({example})", {"KEY": "ab" * 32})  # noqa: S307
    encode_body({"v": 1, "kind": "propose", "member": "mercy", "number": 1, "action": action})


@pytest.fixture
def late(network, tmp_path):
    """Makes a member that was voted in after the founding, and starts its node."""
    made: list[LocalNode] = []

    def join(role: str) -> LocalNode:
        peer, api = free_ports(2)
        home = tmp_path / "late"
        command = [NODE, "keygen", "--dir", home, "--member", "late", "--name", "Late Clinic", "--role", role]
        command += ["--address", f"127.0.0.1:{peer}", "--api", f"http://127.0.0.1:{api}"]
        subprocess.run(command, check=True, capture_output=True)
        card = home / "late.card.json"
        approved(network, f"add_member('2026-11', {str(card)!r})", 3)
        approved(network, f"set_node('2026-11', {str(card)!r})", 3)
        command = [NODE, "init", "--dir", home, "--genesis", network.genesis_file, "--joining"]
        subprocess.run([*command, "--genesis-hash", network.genesis.hash.hex()], check=True, capture_output=True)
        node = LocalNode("late", role, home, json.loads(card.read_text())["node"]["key"], peer, api)
        made.append(node)
        node.start()
        network.wait_ready([node])
        return node

    yield join
    for node in made:
        node.stop()


@pytest.mark.slow
def test_a_late_joiner_moves_and_needs_its_card_when_its_store_is_lost(network, late):
    node = late("validator")
    card = node.directory / "late.card.json"

    # A new address: in force first, then the port in node.toml.
    [moved] = free_ports(1)
    approved(network, f"set_node('2026-12', {str(card)!r}, address='127.0.0.1:{moved}')", 4)
    node.stop()
    config = node.directory / "node.toml"
    config.write_text(config.read_text().replace(f"port = {node.peer_port}", f"port = {moved}"))
    node.start()
    network.wait_ready([node])
    network.wait_until(lambda: linked(node) == 4, "its peers to find it", node)

    # A lost store, and no card: the genesis does not name this node.
    node.stop()
    shutil.move(node.directory / "store", node.directory / "store.bad")
    shutil.move(card, card.with_suffix(".away"))
    node.start()
    with pytest.raises(NetworkError, match="belongs to no node of this ledger"):
        network.wait_ready([node])

    # With the card it joins again, and is silent for three blocks.
    shutil.move(card.with_suffix(".away"), card)
    node.start()
    network.wait_ready([node])
    is_silent(network, node, network.nodes[0].status()["height"] + 3)


@pytest.mark.slow
def test_an_observer_becomes_a_validator_without_a_restart_and_keeps_silent_when_its_store_is_lost(network, late):
    node = late("observer")
    card = node.directory / "late.card.json"
    approved(network, f"set_node('2026-11 it votes', {str(card)!r}, role='validator')", 3)
    network.wait_until(lambda: node.status()["voting"], "it to vote in its new role", node)
    assert node.status()["role"] == "validator"
    network.wait_ready([node])

    node.stop()
    shutil.move(node.directory / "store", node.directory / "store.bad")
    votes_from = network.nodes[0].status()["height"] + 3
    node.start()
    network.wait_ready([node])
    is_silent(network, node, votes_from)


def is_silent(network: LocalNetwork, node: LocalNode, votes_from: int) -> None:
    status = node.status()
    assert status["height"] == network.nodes[0].status()["height"]
    assert not status["voting"]
    assert any(re.search(rf"\b{votes_from}\b", note) for note in status["notes"]), status["notes"]


def linked(node: LocalNode) -> int:
    return sum(each["connected"] for each in node.status()["peers"])
