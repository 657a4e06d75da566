"""Which node this one is: the registry decides, and its card only while the registry does not have it."""

import pytest
from tests.node.cards import CARDS, admin, card

from notarium_node.identity.card import CardError
from notarium_node.identity.own_record import own_record
from notarium_node.operator.ceremony import make_genesis

REGISTRY = make_genesis("Demo", CARDS).registry
LATE = card(7)


@pytest.fixture
def folder(tmp_path):
    """A data directory with the card of a node that is not in the genesis."""
    (tmp_path / "late.card.json").write_bytes(LATE.sign(admin(7)))
    return tmp_path


def test_the_registry_comes_first_and_no_card_is_read_then(folder):
    (folder / "a.card.json").write_bytes(b"not a card")
    assert own_record(REGISTRY, folder, CARDS[1].node.key) == REGISTRY.nodes[CARDS[1].node.key]


def test_a_node_that_the_registry_does_not_have_is_who_its_card_says(folder):
    (folder / "a.card.json").write_bytes(CARDS[0].sign(admin(1)))  # Of another node: passed over.
    assert own_record(REGISTRY, folder, LATE.node.key) == LATE.node
    assert own_record(REGISTRY, None, LATE.node.key) is None
    assert own_record(REGISTRY, folder, card(8).node.key) is None


def test_a_card_that_cannot_be_read_is_named(folder):
    (folder / "a.card.json").write_bytes(b"not a card")
    with pytest.raises(CardError, match=r"a\.card\.json"):
        own_record(REGISTRY, folder, LATE.node.key)
