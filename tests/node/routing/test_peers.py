"""Each kind of message reaches its part; what cannot be read costs its sender the connection.

That every kind of frame is read as the vectors say is in tests/vectors/test_messages.py.
"""

from types import SimpleNamespace
from typing import Any

import pytest
from tests.node.routing.recorder import Recorder
from tests.support.consortium import Consortium

from notarium_consensus.errors import LaterVersion
from notarium_consensus.inputs import PeerConnected
from notarium_consensus.messages import JUSTIFICATION_BYTES, announced_height
from notarium_ledger.encoding import canonical
from notarium_ledger.types import PublicKey
from notarium_node.peers import wire
from notarium_node.peers.wire import Kind
from notarium_node.routing import peers as routing
from notarium_node.routing.peers import GREETING_BYTES, PeerRouter

CONSORTIUM = Consortium(2, observers=1)
VALIDATOR, OBSERVER = CONSORTIUM.validator_keys[0].public, CONSORTIUM.observer_keys[0].public
PARTS = (
    "driver",
    "entries",
    "sync",
    "catch_up_server",
    "followers",
    "memory_asker",
    "memory_answerer",
    "equivocations",
    "conduct",
    "announcer",
    "gossip",
)


@pytest.fixture
def calls():
    return []


@pytest.fixture
def router(calls):
    parts: dict[str, Any] = {name: Recorder(name, calls) for name in PARTS}
    mempool: Any = SimpleNamespace(oldest=lambda count, size: [f"what waits, up to {size}"])
    store: Any = SimpleNamespace(state=CONSORTIUM.state)
    return PeerRouter(store, mempool=mempool, **parts)


def test_a_validator_that_connects_is_sent_height_equivocations_and_what_waits(router, calls):
    router.connected(VALIDATOR)
    assert calls == [
        ("announcer.send_to", VALIDATOR),
        ("equivocations.greet", VALIDATOR),
        ("gossip.send_all", VALIDATOR, [f"what waits, up to {GREETING_BYTES}"]),
        ("sync.on_connect", VALIDATOR),
        ("memory_asker.tick",),
        ("driver.peers_changed",),
        ("driver.feed", PeerConnected(VALIDATOR)),
    ]


def test_an_observer_that_connects_is_sent_no_entries_and_followed_by_nobody(router, calls):
    router.connected(OBSERVER)
    assert [name for name, *_ in calls] == [
        "announcer.send_to",
        "equivocations.greet",
        "driver.peers_changed",
        "driver.feed",
    ]


def test_every_part_that_knows_connections_forgets_the_one_that_ended(router, calls):
    router.disconnected(VALIDATOR)
    assert {name for name, *_ in calls} == {
        "followers.discard",
        "catch_up_server.on_disconnect",
        "conduct.forget",
        "entries.forget",
        "equivocations.forget",
        "sync.on_disconnect",
        "memory_asker.on_disconnect",
        "memory_answerer.on_disconnect",
        "driver.peers_changed",
    }
    assert {call[1] for call in calls if len(call) > 1} == {VALIDATOR}


def test_every_kind_has_a_route(router):
    assert set(router._routes) == set(Kind)


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x40", b"\xff", bytes((Kind.STATUS,)), bytes((Kind.FOLLOW, 0))])
async def test_what_cannot_be_read_drops_the_sender(router, calls, data):
    router.hear(VALIDATOR, data)
    [(name, peer, reason, detail)] = calls
    assert (name, peer, reason) == ("conduct.drop", VALIDATOR, "garbage")
    assert detail


@pytest.mark.parametrize("data", [b"\x20", b"\x3f and more"])
def test_a_kind_of_a_later_version_is_noted(router, calls, data):
    router.hear(VALIDATOR, data)
    assert calls == [("conduct.note_later_version", VALIDATOR, f"message of kind {data[0]}")]


async def test_a_known_kind_in_a_later_version_is_noted(router, calls, monkeypatch):
    def later(payload: bytes) -> None:
        raise LaterVersion("is 2, this software reads 1", "version")

    monkeypatch.setattr(routing, "decode_message", later)
    router.hear(VALIDATOR, bytes((Kind.CONSENSUS,)) + b"payload")
    [(name, peer, _)] = calls
    assert (name, peer) == ("conduct.note_later_version", VALIDATOR)


async def test_a_bad_message_that_a_part_finds_drops_the_sender_too(router, calls):
    def unasked(peer: PublicKey, items: list[bytes]) -> None:
        raise wire.BadMessage("blocks that were not asked for")

    router._sync = SimpleNamespace(on_blocks=unasked)
    router.hear(VALIDATOR, wire.pack_list(Kind.BLOCKS, [b"x"]))
    assert calls == [("conduct.drop", VALIDATOR, "garbage", "blocks that were not asked for")]


@pytest.mark.parametrize("kind", Kind)
async def test_a_flood_of_any_kind_drops_the_sender_before_it_is_read(router, calls, monkeypatch, kind):
    monkeypatch.setattr(router._rates, "allow", lambda peer, of: of is not kind)
    router.hear(VALIDATOR, bytes((kind,)))
    [(name, peer, reason, detail)] = calls
    assert (name, peer, reason) == ("conduct.drop", VALIDATOR, "flood")
    assert kind.name in detail


def large(height):
    """The beginning of a proposal, with what makes it too large for a message without a block."""
    return bytes((Kind.CONSENSUS,)) + canonical.encode([1, 1, height, 0, bytes(JUSTIFICATION_BYTES), [], [], b"", b""])


async def test_a_block_for_a_far_height_is_read_now_and_then_only(router, calls, monkeypatch):
    monkeypatch.setattr(routing, "decode_message", announced_height)
    monkeypatch.setattr(router._rates, "allow_far", lambda peer: False)
    tip = CONSORTIUM.state.height
    for height in (tip + 1_000, tip + 3, tip, tip + 1, tip + 2):
        router.hear(VALIDATOR, large(height))
    fed = [input_.message for name, input_ in calls if name == "driver.feed"]
    assert fed == [tip, tip + 1, tip + 2]
    # Small messages of any height are read, and what is skipped is no breach.
    router.hear(VALIDATOR, bytes((Kind.CONSENSUS,)) + canonical.encode([1, 1, 10**6, 0, b"", [], [], b"", b""]))
    monkeypatch.setattr(router._rates, "allow_far", lambda peer: True)
    router.hear(VALIDATOR, large(10**6))
    fed = [input_.message for name, input_ in calls if name == "driver.feed"]
    assert fed[3:] == [10**6, 10**6]
    assert {name for name, *_ in calls} == {"driver.feed"}
