"""The table: every decoder of outside bytes. A new one gets a line in one of the lists (test_table.py insists)."""

from __future__ import annotations

from tests.fuzz import targets_client, targets_ledger, targets_node
from tests.fuzz.target import Target

TARGETS: tuple[Target, ...] = (
    *targets_ledger.LEDGER,
    *targets_ledger.AGREEMENT,
    *targets_ledger.STORE,
    *targets_node.WIRE,
    *targets_node.HTTP,
    *targets_node.FILES,
    *targets_client.ANSWERS,
    *targets_client.PROJECT,
)

EXEMPT: dict[str, str] = {}
"""Functions that look like decoders of outside bytes and are none: "module:qualified name" -> why."""


def by_name(name: str) -> Target:
    """The target of that name. Raises KeyError."""
    return {each.name: each for each in TARGETS}[name]
