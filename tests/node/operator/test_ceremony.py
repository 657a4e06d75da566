"""Cards and the genesis made from them."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium_ledger.signing import SigningKey
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.registry import Member, NodeRecord
from notarium_ledger.types import Hash
from notarium_node.identity import tls
from notarium_node.operator.ceremony import (
    Card,
    CeremonyError,
    grouped,
    make_genesis,
    split_address,
    ungrouped,
    warnings,
)


def admin(number):
    return SigningKey(bytes([number, 1]) * 16)


def card(number, *, role="validator", member=None, **changes):
    key = SigningKey(bytes([number, 2]) * 16).public
    seed = bytes([number, 3]) * 16
    id_ = member or f"inst-{number}"
    fields = {"address": f"node{number}.example:7000", "api": f"https://node{number}.example"} | changes
    signer = int(id_.rpartition("-")[2])
    return Card(
        Member(id_, f"Institute {signer}", admin(signer).public),
        NodeRecord(id_, role, key, tls.make_certificate(seed), fields["address"], fields["api"]),
        1_700_000_000_000 + number,
    )


CARDS = [card(number) for number in range(1, 5)]


def test_a_card_reads_back_and_holds_no_secret():
    data = CARDS[0].sign(admin(1))
    assert Card.read(data) == CARDS[0]
    for secret in (bytes([1, 1]) * 16, bytes([1, 2]) * 16, bytes([1, 3]) * 16):
        assert secret.hex().encode() not in data


def change(path, value):
    def apply(document):
        target = document
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = value

    return apply


@pytest.mark.parametrize(
    ("mischief", "message"),
    [
        (change(["node", "address"], "evil.example:7000"), "signature"),
        (change(["node", "key"], "ab" * 32), "signature"),
        (change(["member", "name"], "Another"), "signature"),
        (change(["created_ms"], 1), "signature"),
        (change(["signature"], "00" * 64), "signature"),
        (change(["member", "key"], admin(2).public.hex()), "signature"),
        (change(["node", "role"], "king"), "node.role"),
        (change(["node", "extra"], 1), "node"),
        (change(["member", "id"], "UPPER"), "member.id"),
        (change(["format"], "notarium-card/2"), "format"),
        (lambda document: document.pop("node"), "node"),
    ],
)
def test_a_changed_card_is_refused(mischief, message):
    document = json.loads(CARDS[0].sign(admin(1)))
    mischief(document)
    with pytest.raises(CeremonyError, match=message):
        Card.read(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b"x" * 20_000, b"[" * 10_000])
def test_junk_is_no_card(data):
    with pytest.raises(CeremonyError):
        Card.read(data)


def test_a_card_with_parts_of_no_use_is_refused():
    for changed in ({"address": "nowhere"}, {"address": "a:0"}):
        with pytest.raises(CeremonyError, match="HOST:PORT"):
            Card.read(card(1, **changed).sign(admin(1)))
    broken = Card(CARDS[0].member, NodeRecord("inst-1", "validator", CARDS[0].node.key, b"x" * 80, "a:1"), 1)
    with pytest.raises(CeremonyError, match="certificate"):
        Card.read(broken.sign(admin(1)))


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


@given(st.binary(min_size=32, max_size=32), st.sampled_from([" ", "-", ":", "\n"]))
def test_a_hash_reads_aloud_and_back(digest, separator):
    text = grouped(Hash(digest))
    assert all(len(group) == 4 for group in text.split())
    assert ungrouped(text.replace(" ", separator).upper()) == digest.hex()


@pytest.mark.parametrize("text", ["", "abcd", "g" * 64, "0" * 65, "0x" + "0" * 62])
def test_what_is_no_hash_is_refused(text):
    with pytest.raises(CeremonyError, match="64 hex digits"):
        ungrouped(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a.example:1", ("a.example", 1)), ("[::1]:65535", ("::1", 65535)), ("10.0.0.1:80", ("10.0.0.1", 80))],
)
def test_addresses(text, expected):
    assert split_address(text) == expected


@pytest.mark.parametrize(
    "text", ["", ":1", "a", "a:", "a:0", "a:65536", "a:-1", "a:x", "::1:70", "a/b:1", "u@a:1", "a:²"]
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="HOST:PORT"):
        split_address(text)
