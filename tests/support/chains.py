"""Chains in a store, for tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.support.consortium import Consortium, fake_certificate, key

from notarium_ledger.blocks.block import Decision
from notarium_ledger.entries.entry import Entry
from notarium_ledger.signing import SigningKey
from notarium_ledger.types import PublicKey
from notarium_store import Store


def commit(store: Store, consortium: Consortium, entries: Sequence[Entry]) -> Decision:
    """Decide and commit one block of `entries`."""
    decision, transition = consortium.decide(store.state, entries)
    store.commit(decision, transition)
    return decision


def grow(store: Store, consortium: Consortium, sizes: Iterable[int]) -> list[Decision]:
    """Commit one block for each size, with so many new entries."""
    return [commit(store, consortium, consortium.entries(size)) for size in sizes]


def change_validator(store: Store, consortium: Consortium, member: int, label: str) -> tuple[SigningKey, Decision]:
    """One block in which Q members give member number `member` another validator key."""
    new = key(label)
    consortium.keys_by_public[new.public] = new
    action = {
        "type": "set-node",
        "node": {
            "member": consortium.members[member],
            "role": "validator",
            "key": bytes(new.public),
            "certificate": fake_certificate(new),
            "address": "127.0.0.1:9900",
        },
    }
    return new, commit(store, consortium, approved(consortium, store.state.registry.validators.quorum, action))


def approved(consortium: Consortium, quorum: int, action: dict) -> list[Entry]:
    """A proposal by member 0 and the votes that it needs."""
    proposal = consortium.entry(consortium.member_body("propose", 0, action=action))
    votes = [
        consortium.entry(consortium.member_body("vote", member, proposal=bytes(proposal.id), approve=True))
        for member in range(1, quorum)
    ]
    return [proposal, *votes]


def signers(decision: Decision) -> list[PublicKey]:
    """Who sealed it."""
    return [seal.key for seal in decision.certificate.seals]
