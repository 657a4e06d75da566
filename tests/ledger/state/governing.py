"""What the tests of governance share: members' statements, and a registry after them."""

from typing import Any

from tests.support.chains import approved
from tests.support.consortium import Consortium, fake_certificate, key

from notarium_ledger.errors import InvalidEntry, KeyNotPermitted, KeyRefusal
from notarium_ledger.state.governance import apply_entry
from notarium_ledger.state.registry import Registry
from notarium_ledger.types import Height

Fields = dict[str, Any]
NEXT = Height(1)
"""The height of the next block."""
NEW = bytes(key("new").public)
SMALL_ORDER = bytes([1]) + bytes(31)


def apply(registry: Registry, consortium: Consortium, *bodies: Fields) -> tuple[Registry, list[bool]]:
    changes = []
    for body in bodies:
        registry, change = apply_entry(registry, consortium.entry(body), NEXT)
        changes.append(change)
    return registry, changes


def decide(consortium: Consortium, registry: Registry, action: Fields) -> Registry:
    for entry in approved(consortium, registry.validators.quorum, action):
        registry, change = apply_entry(registry, entry, NEXT)
    assert change
    return registry


def cause_of(error: InvalidEntry) -> KeyRefusal | None:
    return error.cause if isinstance(error, KeyNotPermitted) else None


def node(member: str = "m1", role: str = "validator", label: str = "new", **over: Any) -> Fields:
    signer = key(label)
    return {
        "member": member,
        "role": role,
        "key": bytes(signer.public),
        "certificate": fake_certificate(signer),
        "address": "host:1",
        **over,
    }
