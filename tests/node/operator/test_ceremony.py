"""The genesis made from cards."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.node.cards import CARDS, admin, card

from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.registry import Member
from notarium_ledger.types import Hash
from notarium_node.identity.card import Card
from notarium_node.operator.ceremony import CeremonyError, grouped, make_genesis, ungrouped, warnings


def test_the_order_of_cards_does_not_matter():
    researchers = [("inst-2", admin(9).public), ("inst-1", admin(8).public)]
    made = {
        make_genesis("Demo", order, pair).encode_json()
        for order, pair in zip(itertools.permutations(CARDS), itertools.cycle([researchers, researchers[::-1]]))
    }
    assert len(made) == 1
    genesis = Genesis.decode_json(made.pop())
    assert genesis.created_ms == 1_700_000_000_004
    assert len(genesis.registry.validators) == 4
    assert warnings(genesis) == []


def test_one_member_may_have_a_validator_and_an_observer():
    watcher = card(7, role="observer", member="inst-1")
    genesis = make_genesis("Demo", [*CARDS, watcher], parameters={"max_block_entries": 100})
    assert len(genesis.registry.members) == 4
    assert len(genesis.registry.nodes) == 5
    assert genesis.registry.parameters.max_block_entries == 100


@pytest.mark.parametrize(
    ("cards", "more", "message"),
    [
        ([*CARDS, card(7, member="inst-1")], {}, "two validator cards"),
        ([CARDS[0], card(2, address="node1.example:7000")], {}, "two cards have the address"),
        ([card(1, role="observer")], {}, "no card is a validator's"),
        ([*CARDS, CARDS[0]], {}, "two cards have the address"),
        (CARDS, {"parameters": {"max_block_entries": 0}}, "max_block_entries"),
        (CARDS, {"parameters": {"speed": 5}}, "speed"),
        (CARDS, {"researchers": [("inst-9", admin(1).public)]}, "inst-9 is not a member"),
    ],
)
def test_cards_that_contradict_each_other_are_refused(cards, more, message):
    with pytest.raises(CeremonyError, match=message):
        make_genesis("Demo", cards, **more)


def test_two_names_for_one_member_are_noticed():
    other = Card(Member("inst-1", "Imposter", admin(5).public), card(8, member="inst-1").node, 1)
    with pytest.raises(CeremonyError, match="different names or keys"):
        make_genesis("Demo", [*CARDS, other])


def test_warnings_for_few_validators_and_local_addresses():
    few = make_genesis("Demo", [card(1, address="127.0.0.1:1"), card(2)])
    assert [text.split(":")[0] for text in warnings(few)] == ["2 validators", "the address of inst-1 is local"]


def test_a_member_with_two_local_nodes_is_named_once():
    both = [card(1, address="127.0.0.1:1"), card(3, role="observer", member="inst-1", address="127.0.0.1:2")]
    assert any(text.startswith("the address of inst-1 is local") for text in warnings(make_genesis("Demo", both)))


@given(st.binary(min_size=32, max_size=32), st.sampled_from([" ", "-", ":", "\n"]))
def test_a_hash_reads_aloud_and_back(digest, separator):
    text = grouped(Hash(digest))
    assert all(len(group) == 4 for group in text.split())
    assert ungrouped(text.replace(" ", separator).upper()) == digest.hex()


@pytest.mark.parametrize("text", ["", "abcd", "g" * 64, "0" * 65, "0x" + "0" * 62])
def test_what_is_not_a_hash_is_refused(text):
    with pytest.raises(CeremonyError, match="64 hex digits"):
        ungrouped(text)
