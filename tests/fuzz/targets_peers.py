"""Decoders of the node: what its peers send, and the certificate by which they are known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import aiohttp
from tests.fuzz import seeds
from tests.fuzz.target import Target
from tests.support.consortium import digest
from tests.vectors.chain import chain
from tests.vectors.messages import messages

from notarium_consensus.messages import signed_part
from notarium_ledger.encoding import canonical
from notarium_ledger.types import Hash, Height
from notarium_node.identity.tls import CertificateError, certificate_key
from notarium_node.peers import wire
from notarium_node.peers.limits import PeerLimits
from notarium_node.peers.link import PROTOCOL, HelloError, Link, LinkError, LinkSettings


class _Frame(NamedTuple):
    """As aiohttp delivers it."""

    type: aiohttp.WSMsgType
    data: bytes = b""
    extra: str | None = None


class _Socket:
    """The other end says one thing and leaves."""

    def __init__(self, data: bytes) -> None:
        self._frames = [_Frame(aiohttp.WSMsgType.CLOSED), _Frame(aiohttp.WSMsgType.BINARY, data)]

    async def receive(self) -> Any:
        return self._frames.pop()

    async def send_bytes(self, data: bytes) -> None:
        pass


class _Transport:
    """Takes everything."""

    def get_write_buffer_size(self) -> int:
        return 0


def _link(use: Callable[[Link], Coroutine[Any, Any, Any]]) -> Callable[[bytes], Any]:
    loop = asyncio.new_event_loop()

    async def run(data: bytes) -> Any:
        record: Any = next(iter(seeds.consortium().genesis.registry.nodes.values()))
        socket: Any = _Socket(data)
        transport: Any = _Transport()
        settings = LinkSettings(seeds.consortium().genesis.hash, PeerLimits(), lambda: 1_760_000_000_000)
        link = Link(record, socket, transport, settings)
        try:
            return await use(link)
        finally:
            link._end()

    return lambda data: loop.run_until_complete(run(data))


def _packed(kind: wire.Kind, *items: bytes) -> bytes:
    return wire.pack_list(kind, items)[1:]


def _of_kind(data: bytes) -> bool:
    """What the dispatcher asks first."""
    return wire.is_of_later_version(data)


_entries = chain().decisions[0].block.entries
_statements = [signed_part(each) for each in messages().values()]


WIRE = (
    Target(
        "peer: hello",
        _link(Link.greet),
        (HelloError,),
        ("notarium_node.peers.link:Link.greet",),
        (canonical.encode([PROTOCOL, seeds.consortium().genesis.hash]),),
    ),
    Target(
        "peer: link frames",
        _link(lambda link: link.run(lambda data: None)),
        (LinkError,),
        (
            "notarium_node.peers.link:Link._on_control",
            "notarium_node.peers.parcels:ParcelAssembly.take",
            "notarium_node.peers.parcels:ParcelQueue.on_arrived",
        ),
        (b"\xc1\x01" + bytes(8), b"\xc1\x02" + bytes(16), b"\xc1\x04piece", b"\x06"),
    ),
    Target("peer: kind", _of_kind, (), ("notarium_node.peers.wire:is_of_later_version",), (b"\x01", b"\x20", b"\x06")),
    Target(
        "peer: entries",
        lambda data: wire.unpack_list(data, wire.MAX_GOSSIP_ENTRIES),
        (wire.BadMessage,),
        ("notarium_node.peers.wire:unpack_list", "notarium_node.peers.wire:_unpack"),
        (_packed(wire.Kind.ENTRIES, *_entries), _packed(wire.Kind.BLOCKS, seeds.vector_bytes("blocks", "decision")[0])),
        lambda items: _packed(wire.Kind.ENTRIES, *items),
        is_canonical=False,
    ),
    Target(
        "peer: status",
        wire.unpack_status,
        (wire.BadMessage,),
        ("notarium_node.peers.wire:unpack_status",),
        (wire.pack_status(wire.HeightStatus(Height(2**40), Hash(digest("tip")), Height(7), Height(2**39)))[1:],),
        lambda status: wire.pack_status(status)[1:],
        is_canonical=False,
    ),
    Target(
        "peer: get-blocks",
        wire.unpack_get_blocks,
        (wire.BadMessage,),
        ("notarium_node.peers.wire:unpack_get_blocks",),
        (wire.pack_get_blocks(Height(2**33), 512)[1:],),
        lambda asked: wire.pack_get_blocks(*asked)[1:],
        is_canonical=False,
    ),
    Target(
        "peer: get-snapshot",
        wire.unpack_get_snapshot,
        (wire.BadMessage,),
        ("notarium_node.peers.wire:unpack_get_snapshot",),
        (wire.pack_get_snapshot(Height(2**33), 2**20)[1:],),
        lambda asked: wire.pack_get_snapshot(*asked)[1:],
        is_canonical=False,
    ),
    Target(
        "peer: snapshot",
        wire.unpack_snapshot,
        (wire.BadMessage,),
        ("notarium_node.peers.wire:unpack_snapshot",),
        (wire.pack_snapshot(wire.SnapshotPart(Height(7), 1000, 300, b"part"))[1:],),
        lambda part: wire.pack_snapshot(part)[1:],
        is_canonical=False,
    ),
    Target(
        "peer: recall",
        wire.unpack_recall,
        (wire.BadMessage,),
        ("notarium_node.peers.wire:unpack_recall",),
        (wire.pack_recall(digest("nonce")[:16])[1:],),
        lambda nonce: wire.pack_recall(nonce)[1:],
        is_canonical=False,
    ),
    Target(
        "peer: recalled",
        wire.unpack_recalled,
        (wire.BadMessage,),
        ("notarium_node.peers.wire:unpack_recalled",),
        tuple(
            wire.pack_recalled(wire.RecallAnswer(digest("nonce")[:16], Height(2**40), True, said))[1:]
            for said in (None, *_statements)
        ),
        lambda answer: wire.pack_recalled(answer)[1:],
        is_canonical=False,
    ),
    Target(
        "transport certificate",
        certificate_key,
        (CertificateError,),
        ("notarium_node.identity.tls:certificate_key",),
        (seeds.certificate(),),
        dialect="text",
        max_bytes=8192,
    ),
)
