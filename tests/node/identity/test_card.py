"""Cards: what is signed on them counts, and nothing else."""

import json

import pytest
from tests.node.cards import CARDS, admin, card

from notarium_ledger.state.registry import NodeRecord
from notarium_node.identity.card import Card, CardError, read_card


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
    with pytest.raises(CardError, match=message):
        Card.read(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"null", b"x" * 20_000, b"[" * 10_000])
def test_junk_is_not_a_card(data):
    with pytest.raises(CardError):
        Card.read(data)


def test_a_card_with_parts_of_no_use_is_refused():
    for changed in ({"address": "nowhere"}, {"address": "a:0"}):
        with pytest.raises(CardError, match="HOST:PORT"):
            Card.read(card(1, **changed).sign(admin(1)))
    broken = Card(CARDS[0].member, NodeRecord("inst-1", "validator", CARDS[0].node.key, b"x" * 80, "a:1"), 1)
    with pytest.raises(CardError, match="certificate"):
        Card.read(broken.sign(admin(1)))


def test_a_card_file_is_named_where_it_cannot_be_used(tmp_path):
    path = tmp_path / "a.card.json"
    with pytest.raises(CardError, match=r"cannot read .*a\.card\.json: No such file"):
        read_card(path)
    path.write_bytes(b"{}")
    with pytest.raises(CardError, match=r"a\.card\.json: not a card"):
        read_card(path)
    path.write_bytes(CARDS[0].sign(admin(1)))
    assert read_card(path) == CARDS[0]
