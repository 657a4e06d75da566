"""Which node this one is: its record in the registry, or on its card while the registry does not have it yet.

A node that the members voted in after the founding starts with an empty store, so with the registry of genesis. Its own
card says who it is until it has caught up with the block that added it.
"""

from __future__ import annotations

from pathlib import Path

from notarium_ledger.state.registry import NodeRecord, Registry
from notarium_ledger.types import PublicKey
from notarium_node.identity.card import read_card

CARD_GLOB = "*.card.json"


def own_record(registry: Registry, card_dir: Path | None, key: PublicKey) -> NodeRecord | None:
    """The record of the node with `key`: from the registry, otherwise from a card in `card_dir`, if one is given.

    Raises CardError for a card that cannot be read.
    """
    record = registry.nodes.get(key)
    return own_card(card_dir, key) if record is None and card_dir is not None else record


def own_card(data_dir: Path, key: PublicKey) -> NodeRecord | None:
    """The record on the card in `data_dir` that was made with `key`, or None. Raises CardError."""
    records = (read_card(path).node for path in sorted(data_dir.glob(CARD_GLOB)))
    return next((each for each in records if each.key == key), None)
