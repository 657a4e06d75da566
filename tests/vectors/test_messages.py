"""Consensus messages and the frames of the peer wire: the node reads, refuses and ignores what the vectors say."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from tests.vectors import messages
from tests.vectors.notation import from_json
from tests.vectors.test_vectors import cases, load, unhex

from notarium_consensus.errors import InvalidMessage, LaterVersion
from notarium_consensus.messages import decode_message, encode_message
from notarium_ledger.encoding import canonical
from notarium_ledger.signing import verify
from notarium_ledger.types import Hash, PublicKey
from notarium_node.peers import wire
from notarium_node.peers.limits import PeerLimits
from notarium_node.peers.link import HelloError, Link, LinkError, LinkSettings
from notarium_node.peers.parcels import PIECE_BYTES, ParcelQueue
from notarium_node.peers.wire import Kind
from notarium_node.routing.peers import PeerRouter

PEER = PublicKey(bytes(32))


@pytest.mark.parametrize("case", cases("messages.json", "valid"))
def test_message(case: Any) -> None:
    document = load("messages.json")
    genesis, validators = Hash(unhex(document["genesis"])), Hash(unhex(document["validators"]))
    message = decode_message(unhex(case["hex"]))
    assert encode_message(replace(message)).hex() == case["hex"], "encoded again, not remembered"
    assert (message.kind.name, str(message.height), message.round) == (case["kind"], case["height"], case["round"])
    assert (message.key.hex(), message.signature.hex()) == (case["key"], case["signature"])
    assert message.statement.signed_bytes(genesis, validators).hex() == case["signed"]
    brought = messages.inside(message)
    assert len(brought) == case["inside"]
    for each in (message, *brought):
        assert verify(each.key, each.statement.signed_bytes(genesis, validators), each.signature)


@pytest.mark.parametrize("case", cases("messages.json", "invalid"))
def test_invalid_message(case: Any) -> None:
    with pytest.raises(InvalidMessage) as caught:
        decode_message(unhex(case["hex"]))
    assert caught.value.field == case["field"]


@pytest.mark.parametrize("case", cases("messages.json", "later"))
def test_message_of_a_later_version(case: Any) -> None:
    with pytest.raises(LaterVersion):
        decode_message(unhex(case["hex"]))


class Listener:
    """A node's ear alone: what it does with frames, as frames again."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.judged: list[str] = []
        take = self.taken.append
        parts: dict[str, Any] = {
            "driver": SimpleNamespace(feed=lambda event: take(b"\1" + encode_message(replace(event.message)))),
            "entries": SimpleNamespace(
                hear=lambda peer, payload: take(
                    wire.pack_list(Kind.ENTRIES, wire.unpack_list(payload, wire.MAX_GOSSIP_ENTRIES))
                )
            ),
            "sync": SimpleNamespace(
                on_status=lambda peer, status: take(wire.pack_status(status)),
                on_blocks=lambda peer, blocks: take(wire.pack_list(Kind.BLOCKS, blocks)),
                on_snapshot=lambda peer, part: take(wire.pack_snapshot(part)),
            ),
            "catch_up_server": SimpleNamespace(
                on_get_blocks=lambda peer, *asked: take(wire.pack_get_blocks(*asked)),
                on_get_snapshot=lambda peer, *asked: take(wire.pack_get_snapshot(*asked)),
            ),
            "memory_answerer": SimpleNamespace(on_recall=lambda peer, nonce: take(wire.pack_recall(nonce))),
            "memory_asker": SimpleNamespace(on_answer=lambda peer, answer: take(wire.pack_recalled(answer))),
            "followers": SimpleNamespace(add=lambda peer: take(bytes((Kind.FOLLOW,)))),
            "equivocations": SimpleNamespace(hear=lambda peer, raws: take(wire.pack_list(Kind.EQUIVOCATIONS, raws))),
            "conduct": SimpleNamespace(
                drop=lambda peer, reason, detail: self.judged.append(reason),
                note_later_version=lambda peer, detail: self.judged.append("later"),
            ),
        }
        nothing: Any = None
        self._router = PeerRouter(nothing, announcer=nothing, gossip=nothing, mempool=nothing, **parts)

    def hear(self, frame: bytes) -> tuple[list[bytes], list[str]]:
        """What was taken of this frame, and the verdicts on its sender."""
        self._router.hear(PEER, frame)
        return self.taken, self.judged


@pytest.mark.parametrize("case", cases("wire.json", "valid"))
async def test_frame(case: Any) -> None:
    frame = unhex(case["hex"])
    payload = canonical.encode(from_json(case["payload"])) if "payload" in case else b""
    assert frame == bytes((case["kind"],)) + payload
    assert Listener().hear(frame) == ([frame], [])


def test_every_kind_of_frame_has_a_vector() -> None:
    assert {case["kind"] for case in load("wire.json")["valid"]} == set(Kind)


@pytest.mark.parametrize("case", cases("wire.json", "ignored"))
async def test_frame_of_a_later_version(case: Any) -> None:
    assert Listener().hear(unhex(case["hex"])) == ([], ["later"])


@pytest.mark.parametrize("case", cases("wire.json", "invalid"))
async def test_invalid_frame(case: Any) -> None:
    assert Listener().hear(unhex(case["hex"])) == ([], ["garbage"])


class Socket:
    """The other end says one thing and leaves; what is sent to it is kept."""

    def __init__(self, frame: bytes) -> None:
        self._frames = [(aiohttp.WSMsgType.CLOSED, b"", None), (aiohttp.WSMsgType.BINARY, frame, None)]
        self.sent: list[bytes] = []

    async def receive(self) -> Any:
        return aiohttp.WSMessage(*self._frames.pop())

    async def send_bytes(self, data: bytes) -> None:
        self.sent.append(data)


def link(socket: Any, time_ms: int = 0) -> Link:
    transport: Any = SimpleNamespace(get_write_buffer_size=lambda: 0, abort=lambda: None)
    settings = LinkSettings(Hash(unhex(load("wire.json")["genesis"])), PeerLimits(), lambda: time_ms)
    record: Any = None
    return Link(record, socket, transport, settings)


def greet(frame: bytes) -> list[bytes]:
    """What is sent to a peer that says this first. Raises HelloError."""
    socket = Socket(frame)

    async def run() -> None:
        await link(socket).greet()

    asyncio.run(run())
    return socket.sent


@pytest.mark.parametrize("case", cases("wire.json", "hellos"))
def test_hello(case: Any) -> None:
    assert greet(unhex(case["hex"])) == [unhex(load("wire.json")["hellos"][0]["hex"])]


@pytest.mark.parametrize("case", cases("wire.json", "invalid_hellos"))
def test_invalid_hello(case: Any) -> None:
    with pytest.raises(HelloError) as caught:
        greet(unhex(case["hex"]))
    assert caught.value.reason == case["reason"]


def test_clock_frames() -> None:
    clock = load("wire.json")["clock"]

    async def run(said: str, time_ms: int) -> tuple[list[str], Link]:
        socket = Socket(unhex(said))
        made = link(socket, time_ms)
        await made.run(lambda data: None)
        made.abort()
        return [each.hex() for each in socket.sent], made

    sent, asker = asyncio.run(run(clock["answer"], clock["asked"]))
    assert sent == [clock["ask"]], "each end asks first"
    assert asker.clock_offset_ms is not None, "it is taken as the answer to that question"
    sent, _ = asyncio.run(run(clock["ask"], clock["answered"]))
    assert sent[1:] == [clock["answer"]]


def test_a_message_in_pieces() -> None:
    parcel = load("wire.json")["parcel"]
    heard: list[bytes] = []
    socket = Socket(unhex(parcel["last_piece"]))

    async def run() -> None:
        made = link(socket)
        await made.run(heard.append)
        made.abort()

    asyncio.run(run())
    assert heard == [unhex(parcel["message"])]
    assert socket.sent[-1] == unhex(parcel["arrived"])
    queue = ParcelQueue()
    queue.put(unhex(parcel["message"]), None, 0.0)
    assert queue.next_frame() == unhex(parcel["last_piece"])
    assert parcel["piece_bytes"] == PIECE_BYTES


@pytest.mark.parametrize("case", cases("wire.json", "invalid_pieces"))
def test_invalid_piece(case: Any) -> None:
    async def run() -> None:
        made = link(Socket(unhex(case["hex"])))
        try:
            await made.run(lambda data: None)
        finally:
            made.abort()

    with pytest.raises(LinkError) as caught:
        asyncio.run(run())
    assert caught.value.reason == "bad frame"
