"""The members as they govern: they propose and vote through nodes' APIs, and bring new nodes into the network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.cluster.crowd import Cluster
from tests.cluster.faults.ground import Host
from tests.cluster.faults.load import Load

from notarium import Client
from notarium.key_files import Purpose, load_key
from notarium_ledger.entries.entry import sign_entry
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.signing import SigningKey
from notarium_node.demo.local_network import LocalNode, free_ports
from notarium_node.identity.card import Card, read_card
from notarium_node.operator import setup

CALL_S = 10.0


@dataclass(slots=True)
class Assembly:
    """What they send counts as promised, like any other entry."""

    cluster: Cluster
    load: Load
    admins: dict[str, SigningKey] = field(default_factory=dict)
    """Governance keys that are not where the founders have theirs."""
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    """One sequence for all members: a member's numbers ascend, and may leave others out."""

    async def propose(self, member: str, action: Mapping[str, Any], through: Sequence[LocalNode]) -> bytes:
        """Make a proposal and wait until it is decided; its name for `vote`."""
        entry = self._sign(member, {"kind": "propose", "number": next(self._numbers), "action": dict(action)})
        await self._submit(entry, through)
        return bytes(leaf_hash(entry))

    async def vote(self, member: str, proposal: bytes, through: Sequence[LocalNode]) -> None:
        """Approve a proposal and wait until that is decided."""
        body = {"kind": "vote", "number": next(self._numbers), "proposal": proposal, "approve": True}
        await self._submit(self._sign(member, body), through)

    async def agree(self, members: Sequence[str], action: Mapping[str, Any], through: Sequence[LocalNode]) -> None:
        """The first proposes, the others approve: the change is in force when this returns."""
        proposal = await self.propose(members[0], action, through)
        for member in members[1:]:
            await self.vote(member, proposal, through)

    async def admit(self, newcomer: LocalNode, members: Sequence[str], through: Sequence[LocalNode]) -> None:
        """These members let a new institution and its node in."""
        card = card_of(newcomer)
        if card.member.id not in self.cluster.network.genesis.registry.members:
            await self.agree(members, add_member(card), through)
        await self.agree(members, set_node(card), through)

    def newcomer(self, host: Host, member: str, known: bool = False, extra_config: str = "") -> LocalNode:
        """A validator with keys, card and configuration, as its operator makes them; it does not run yet.

        `known`: of a member that is there already, and whose validator it is to replace.
        """
        network = self.cluster.network
        directory = network.directory / f"{member}-new"
        admin = network.directory / member / "keys" / Purpose.ADMIN.file_name if known else None
        peer_port, api_port = free_ports(2)
        api = f"http://{host.address}:{api_port}"
        description = setup.NodeDescription(
            member,
            "Newcomer" if admin is None else f"Member {member[1:]}",
            "validator",
            f"{host.address}:{peer_port}",
            api,
        )
        made = setup.make_keys(directory, description, admin)
        setup.initialise(
            directory,
            network.genesis_file,
            network.genesis.hash.hex(),
            listen=f"{host.address}:{peer_port}",
            api_listen=f"{host.address}:{api_port}",
            joining=True,
        )
        with (directory / "node.toml").open("a") as file:
            file.write(f"\n{extra_config}")
        if admin is None:
            self.admins[member] = load_key(directory / "keys" / Purpose.ADMIN.file_name, Purpose.ADMIN)
        key = read_card(made.card).node.key
        return LocalNode(member, "validator", directory, key.hex(), peer_port, api_port, host.address, host.prefix)

    def _sign(self, member: str, body: dict[str, Any]) -> bytes:
        network = self.cluster.network
        key = self.admins.get(member) or load_key(
            network.directory / member / "keys" / Purpose.ADMIN.file_name, Purpose.ADMIN
        )
        return sign_entry(key, network.genesis.hash, {"v": 1, "member": member, **body})

    async def _submit(self, entry: bytes, through: Sequence[LocalNode]) -> None:
        async with Client(self.cluster.network.genesis, [node.api for node in through], timeout=CALL_S) as client:
            await self.load.submit(client, [entry])


def card_of(node: LocalNode) -> Card:
    """What its operator hands out."""
    (path,) = node.directory.glob("*.card.json")
    return read_card(path)


def add_member(card: Card) -> dict[str, Any]:
    """The action that lets the card's institution in."""
    return {"type": "add-member", "id": card.member.id, "name": card.member.name, "key": bytes(card.member.key)}


def set_node(card: Card) -> dict[str, Any]:
    """The action that lets the card's node in; it replaces the member's validator."""
    record = card.node
    node = {"member": record.member, "role": record.role, "key": bytes(record.key), "certificate": record.certificate}
    return {"type": "set-node", "node": {**node, "address": record.address, "api": record.api}}
