"""The equivocations that a node keeps: verified before it is kept, kept before it is sent, and bounded."""

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
from structlog.testing import capture_logs
from tests.node.parts import FakeNetwork
from tests.support.chains import change_validator, grow
from tests.support.consortium import Consortium, key
from tests.support.liars import lie

from notarium_ledger.blocks.statements import RoundChangeStatement, SignedRoundChange, StatementKind
from notarium_ledger.encoding import canonical
from notarium_ledger.trust import equivocation as equivocation_module
from notarium_ledger.trust.equivocation import Equivocation
from notarium_ledger.types import Hash
from notarium_node.equivocation import collection as collection_module
from notarium_node.equivocation.collection import ALARM, EARLY_PER_PEER, MOST, MOST_PER_KEY, Equivocations
from notarium_node.peers import wire
from notarium_node.peers.conduct import Conduct
from notarium_node.peers.network import PeerNetwork
from notarium_store import Store
from notarium_store.database import Database
from notarium_store.errors import StoreError


class Witness:
    """A node's equivocations with a real store, three peers that listen, and the first validator as the liar."""

    def __init__(self, path, consortium=None):
        self.consortium = consortium or Consortium(4, observers=1)
        self.path = path
        keys = self.consortium.validator_keys
        self.liar, self.own, self.peer = keys[0], keys[1], keys[2].public
        self.network = FakeNetwork(*(each.public for each in keys if each is not self.own))
        self.network.links.add(self.consortium.observer_keys[0].public)
        self.dropped: list[tuple[str, str]] = []
        self.later: list[str] = []
        self.open()
        for link in sorted(self.network.links):
            self.equivocations.greet(link)

    def open(self):
        self.store = Store.open(self.path, self.consortium.genesis)
        self.equivocations = Equivocations(
            self.store,
            cast(PeerNetwork, self.network),
            self.own.public,
            cast(
                Conduct,
                SimpleNamespace(
                    drop=lambda peer, reason, detail: self.dropped.append((reason, detail)),
                    note_later_version=lambda peer, detail: self.later.append(detail),
                ),
            ),
        )

    def restart(self):
        self.store.close()
        self.open()

    def hear(self, *equivocation, peer=None):
        self.equivocations.hear(peer or self.peer, [each.encode() for each in equivocation])

    def sent(self):
        """Who was sent what since the last call."""
        return {
            (peer, raw)
            for peer, data in self.network.take()
            for raw in wire.unpack_list(data[1:], wire.MAX_EQUIVOCATIONS)
            if data[0] == wire.Kind.EQUIVOCATIONS
        }

    def held(self):
        return [each.equivocation for each in self.equivocations.page(0, MOST)]

    def lie(self, **how):
        return lie(self.consortium, self.liar, **how)


@pytest.fixture
def witness(tmp_path):
    made = Witness(tmp_path / "store")
    yield made
    made.store.close()


@pytest.mark.parametrize("kind", StatementKind)
def test_what_the_engine_saw_is_kept_sent_to_all_and_alarms_the_operator(witness, kind):
    equivocation = witness.lie(kind=kind)
    with capture_logs() as logs:
        witness.equivocations.detect(equivocation)
    assert witness.sent() == {(peer, equivocation.encode()) for peer in witness.network.links}
    assert [each for _, each in witness.store.equivocations()] == [equivocation] == witness.held()
    (line,) = [each for each in logs if each["event"] == ALARM]
    assert (line["log_level"], line["member"], line["equivocation"]) == ("error", "m0", equivocation.id.hex())
    assert witness.equivocations.by_member() == {"m0": 1, "m1": 0, "m2": 0, "m3": 0}


def test_a_peers_equivocation_is_kept_and_sent_to_all_the_others(witness):
    equivocation = witness.lie()
    witness.hear(equivocation)
    assert witness.held() == [equivocation]
    assert witness.sent() == {(peer, equivocation.encode()) for peer in witness.network.links - {witness.peer}}
    assert witness.dropped == []


def test_it_survives_a_restart_and_a_peer_that_connects_gets_it(witness):
    pieces = [witness.lie(height=1), lie(witness.consortium, witness.own)]
    for each in pieces:
        witness.equivocations.detect(each)
    witness.sent()
    witness.restart()
    assert witness.held() == pieces
    assert witness.equivocations.by_member() == {"m0": 1, "m1": 1, "m2": 0, "m3": 0}
    witness.equivocations.greet(witness.peer)
    assert witness.sent() == {(witness.peer, each.encode()) for each in pieces}
    witness.hear(*pieces)
    assert len(witness.equivocations) == 2, "known after the restart too"


def test_what_a_full_link_did_not_take_is_sent_when_it_has_room(witness):
    pieces = [
        lie(witness.consortium, one, kind=kind)
        for one in witness.consortium.validator_keys[:2]
        for kind in StatementKind
    ]
    witness.equivocations.detect(pieces[0])
    witness.sent()
    witness.network.links.discard(witness.peer)  # send says False, as where the queue is full
    for each in pieces[1:]:
        witness.equivocations.detect(each)
    assert {each.encode() for each in pieces[1:]} == {raw for _, raw in witness.sent()}
    witness.equivocations.retry()
    assert witness.sent() == set()
    witness.network.links.add(witness.peer)
    witness.equivocations.retry()
    assert witness.sent() == {(witness.peer, each.encode()) for each in pieces[1:]}
    witness.equivocations.retry()
    assert witness.sent() == set()


def test_what_is_known_costs_no_signature_and_no_message(witness, monkeypatch):
    witness.hear(witness.lie())
    witness.sent()
    monkeypatch.setattr(equivocation_module, "verify", lambda *_: pytest.fail("verified again"))
    witness.hear(witness.lie(), witness.lie(label="other words in the same slot"))
    assert len(witness.equivocations) == 1
    assert witness.sent() == set()


def test_one_piece_per_validator_kind_and_height(witness):
    grow(witness.store, witness.consortium, [1])
    distinct = [
        witness.lie(height=1),
        witness.lie(height=2),
        witness.lie(height=1, kind=StatementKind.PREPARE),
        lie(witness.consortium, witness.own),
    ]
    witness.hear(*distinct, witness.lie(height=1, round=5))
    assert witness.held() == distinct


def spoilt(witness):
    good = witness.lie()
    stranger = lie(witness.consortium, key("stranger"))
    forged = replace(good, first=replace(good.first, signature=good.second.signature))
    return {
        "another ledger": lie(Consortium(4, max_entry_bytes=2048), witness.liar),
        "another set": lie(witness.consortium, witness.liar, validators=Consortium(3).genesis.registry.validators),
        "no validator": stranger,
        "an observer": lie(witness.consortium, witness.consortium.observer_keys[0]),
        "a forged signature": forged,
        "the same twice": replace(good, second=good.first),
        "two heights": replace(good, second=witness.lie(height=2).first),
    }


@pytest.mark.parametrize(
    "name",
    [
        "another ledger",
        "another set",
        "no validator",
        "an observer",
        "a forged signature",
        "the same twice",
        "two heights",
    ],
)
def test_a_peer_with_false_equivocation_is_dropped_and_nothing_kept_or_sent(witness, name):
    witness.hear(spoilt(witness)[name], witness.lie(kind=StatementKind.PREPARE))
    assert [kind for kind, _ in witness.dropped] == ["invalid equivocation"]
    assert (witness.held(), witness.sent()) == ([], set())


def test_equivocation_of_a_later_version_is_ignored_and_not_punished(witness):
    later = canonical.encode([2, bytes(32), "with a signature of another kind", bytes(5000)])
    witness.equivocations.hear(witness.peer, [later, witness.lie().encode()])
    assert (witness.dropped, witness.later) == ([], ["equivocation: version: 2, this software reads 1"])
    assert len(witness.equivocations) == 1, "what is known is heard all the same"


@pytest.mark.parametrize(
    "raw", [b"", b"\x90", b"\xc1", b"\x91\x00", b"\x91\xc3", b"\x91\x01", b"\xc4\xff" + bytes(255), bytes(8193)]
)
def test_garbage_is_dropped(witness, raw):
    witness.equivocations.hear(witness.peer, [raw])
    assert [kind for kind, _ in witness.dropped] == ["invalid equivocation"]


def test_the_set_is_that_of_the_height_by_the_own_chain(witness):
    """After a change of validators the old set convicts at old heights only, and the new at new ones."""
    store, consortium = witness.store, witness.consortium
    old = store.state.registry.validators
    new_key, _ = change_validator(store, consortium, 0, "m0 anew")
    new = store.state.registry.validators
    grow(store, consortium, [1])
    witness.hear(lie(consortium, witness.liar, 1, validators=old), lie(consortium, new_key, 2, validators=new))
    assert [each.member for each in witness.equivocations.page(0, 9)] == ["m0", "m0"]
    assert witness.dropped == []
    for liar, height, validators in ((witness.liar, 2, old), (new_key, 1, new), (witness.liar, 3, new)):
        witness.hear(lie(consortium, liar, height, StatementKind.PREPARE, validators=validators))
    assert len(witness.dropped) == 3
    assert len(witness.equivocations) == 2


def test_equivocation_of_a_height_not_reached_waits_for_it(witness):
    witness.hear(witness.lie(height=3))
    witness.hear(lie(witness.consortium, key("stranger"), 2), peer=witness.own.public)
    assert (witness.held(), witness.dropped) == ([], [])
    grow(witness.store, witness.consortium, [1])
    witness.equivocations.retry()
    assert [kind for kind, _ in witness.dropped] == ["invalid equivocation"], "height 2 can be judged now"
    grow(witness.store, witness.consortium, [1])
    witness.equivocations.retry()
    assert witness.held() == [witness.lie(height=3)]
    assert len(witness.sent()) == len(witness.network.links) - 1


def test_what_waits_is_bounded_and_leaves_with_its_peer(witness):
    for number in range(EARLY_PER_PEER + 50):
        witness.hear(witness.lie(height=1000 + number))
    assert len(witness.equivocations._early[witness.peer]) == EARLY_PER_PEER
    witness.equivocations.forget(witness.peer)
    assert not witness.equivocations._early


def test_a_liars_flood_is_kept_up_to_a_bound_and_costs_nothing_beyond(witness, monkeypatch):
    grow(witness.store, witness.consortium, [1] * 40)
    pieces = [witness.lie(height=height) for height in range(1, 42)]
    witness.hear(*pieces[:MOST_PER_KEY])
    witness.sent()
    with monkeypatch.context() as patched:
        patched.setattr(equivocation_module, "verify", lambda *_: pytest.fail("verified"))
        patched.setattr(Database, "write", lambda *_, **__: pytest.fail("written"))
        witness.hear(*pieces[MOST_PER_KEY:])
        witness.equivocations.detect(pieces[-1])
    assert witness.held() == pieces[:MOST_PER_KEY], "the first ones stay: they may have been cited"
    assert witness.sent() == set()
    assert witness.equivocations.refused == len(pieces) - MOST_PER_KEY + 1
    other = lie(witness.consortium, witness.own)
    witness.hear(other)
    assert witness.held()[-1] == other, "another validator's equivocation still has room"


def test_there_is_a_bound_over_all_validators(witness, monkeypatch):
    monkeypatch.setattr(collection_module, "MOST", 3)
    grow(witness.store, witness.consortium, [1])
    for liar in witness.consortium.validator_keys[:2]:
        for height in (1, 2):
            witness.equivocations.detect(lie(witness.consortium, liar, height))
    assert len(witness.equivocations) == 3


def test_a_peer_that_sends_more_than_any_node_keeps_is_dropped(witness):
    known = witness.lie()
    for _ in range(MOST // 64):
        witness.hear(*[known] * 64)
    assert witness.dropped == []
    witness.hear(known)
    assert [kind for kind, _ in witness.dropped] == ["flood"]
    witness.equivocations.forget(witness.peer)
    witness.hear(known)
    assert len(witness.dropped) == 1, "counted for each connection"


def test_what_the_disk_refuses_is_sent_to_nobody_until_it_is_kept(witness, monkeypatch):
    def refuse(database, *_):
        raise StoreError(database.path, "full")

    equivocation = witness.lie()
    with monkeypatch.context() as patched:
        patched.setattr(Database, "write", refuse)
        witness.equivocations.detect(equivocation)
        witness.equivocations.retry()
        witness.hear(equivocation)
    assert (witness.held(), witness.sent()) == ([], set())
    witness.equivocations.retry()
    witness.equivocations.retry()
    assert witness.held() == [equivocation]
    assert len(witness.sent()) == len(witness.network.links)


def test_equivocation_against_the_own_key_says_what_to_do(witness):
    with capture_logs() as logs:
        witness.hear(lie(witness.consortium, witness.own))
    (line,) = [each for each in logs if each["event"] == ALARM]
    assert line["own_key"]
    assert "one node only" in line["remedy"]


def test_the_file_of_each_piece_convicts_with_the_genesis_alone(witness):
    store, consortium = witness.store, witness.consortium
    grow(store, consortium, [1, 1])
    new_key, _ = change_validator(store, consortium, 0, "m0 anew")
    new = store.state.registry.validators
    grow(store, consortium, [1])
    for each in (
        lie(consortium, witness.liar, 1),
        lie(consortium, witness.liar, 3),
        lie(consortium, new_key, 4, validators=new),
        lie(consortium, new_key, 5, validators=new),
    ):
        witness.equivocations.detect(each)
        file = witness.equivocations.file(witness.equivocations.get(each.id))
        again = type(file).decode_json(file.encode_json())
        again.verify(consortium.genesis)
        assert (again.equivocation, again.validators.member_of(again.equivocation.key)) == (each, "m0")


def test_most_equivocation_fits_its_bound():
    """The greatest numbers that a statement can hold."""
    from notarium_ledger.trust.equivocation import conflict
    from notarium_ledger.types import MAX_HEIGHT, MAX_ROUND, Height, PublicKey, Round, Signature

    def change(fill):
        claim = (Round(MAX_ROUND), Hash(bytes([fill]) * 32))
        key_, signature = PublicKey(b"k" * 32), Signature(b"s" * 64)
        return SignedRoundChange(RoundChangeStatement(Height(MAX_HEIGHT), Round(MAX_ROUND), claim), key_, signature)

    encoded = conflict(Hash(b"g" * 32), Hash(b"v" * 32), change(1), change(2)).encode()
    assert len(encoded) == 380
    assert Equivocation.decode(encoded).encode() == encoded
