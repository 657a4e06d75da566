"""The genesis ceremony: every institution hands out its card, and all cards together make the genesis.

Anyone who has all cards makes the same genesis from them. The institutions compare its hash by phone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from notarium_ledger.entries.address import split_address
from notarium_ledger.errors import LedgerError
from notarium_ledger.state.genesis import FORMAT as GENESIS_FORMAT
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.registry import Member, NodeRecord
from notarium_ledger.types import Hash, PublicKey
from notarium_node.identity.card import Card, member_document, node_document

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
"""Hosts that only this machine reaches."""


class CeremonyError(Exception):
    """Cards or options that do not make a genesis. The message says which and what to do."""


def make_genesis(
    name: str,
    cards: Sequence[Card],
    researchers: Sequence[tuple[str, PublicKey]] = (),
    parameters: Mapping[str, int] | None = None,
) -> Genesis:
    """The genesis of these cards; cards in another order make the same genesis. Raises CeremonyError."""
    members, nodes = _members(cards), _nodes(cards)
    document: dict[str, Any] = {
        "format": GENESIS_FORMAT,
        "name": name,
        "created_ms": max(card.created_ms for card in cards),
        "members": [member_document(member) for _, member in sorted(members.items())],
        "nodes": [node_document(node) for node in nodes],
        "researchers": [{"member": member, "key": key.hex()} for member, key in sorted(set(researchers))],
        "parameters": dict(parameters or {}),
    }
    try:
        return Genesis.from_document(document)
    except LedgerError as error:
        raise CeremonyError(f"these cards do not make a genesis: {error}") from error


def _members(cards: Sequence[Card]) -> dict[str, Member]:
    members: dict[str, Member] = {}
    for card in cards:
        known = members.setdefault(card.member.id, card.member)
        if known != card.member:
            raise CeremonyError(
                f"two cards name the member {card.member.id} with different names or keys: "
                "ask that member which card is right"
            )
    return members


def _nodes(cards: Sequence[Card]) -> list[NodeRecord]:
    """All nodes, each at its own address, one validator a member at most and one in all at least."""
    voting = Counter(card.node.member for card in cards if card.node.role == "validator")
    if not voting:
        raise CeremonyError("no card is a validator's, so no node could vote: add the cards of validators")
    address, count = Counter(card.node.address for card in cards).most_common(1)[0]
    if count > 1:
        raise CeremonyError(f"two cards have the address {address}: give each node its own")
    member, count = voting.most_common(1)[0]
    if count > 1:
        raise CeremonyError(f"{member} has two validator cards, but a member has one vote: leave one out")
    return sorted((card.node for card in cards), key=lambda node: (node.member, node.role, node.key))


def warnings(genesis: Genesis) -> list[str]:
    """Concerns about a genesis that is allowed but probably not intended."""
    found = []
    validators = genesis.registry.validators
    if len(validators) < 4:
        found.append(
            f"{len(validators)} validator{'s' if len(validators) > 1 else ''}: FOR TRIALS ONLY. Fewer than four "
            "tolerate no faulty node: a single one can halt or deceive the others. Production needs four."
        )
    local = {node.member for node in genesis.registry.nodes.values() if split_address(node.address)[0] in LOCAL_HOSTS}
    if local and len(genesis.registry.nodes) > 1:
        found.append(
            f"the address of {', '.join(sorted(local))} is local: nodes on other machines cannot reach it. "
            "This works on one machine only."
        )
    return found


def grouped(hash_: Hash) -> str:
    """A hash for reading aloud: groups of four hex digits, eight to a line."""
    digits = hash_.hex()
    groups = [digits[start : start + 4] for start in range(0, len(digits), 4)]
    return "\n".join(" ".join(groups[start : start + 8]) for start in range(0, len(groups), 8))


def ungrouped(text_: str) -> str:
    """The hex digits of a hash that was written with spaces, colons or hyphens. Raises CeremonyError."""
    digits = "".join(character for character in text_.lower() if character not in " :-\n\t")
    if len(digits) != 64 or any(character not in "0123456789abcdef" for character in digits):
        raise CeremonyError(f"{text_!r} is not a genesis hash: give its 64 hex digits, in groups or without")
    return digits
