"""Decoders of the node: peers, HTTP requests, and the files of its operator."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

import aiohttp
from tests.fuzz import seeds
from tests.fuzz.files import from_file
from tests.fuzz.target import Target
from tests.support.consortium import digest
from tests.vectors.chain import chain
from tests.vectors.messages import messages

from notarium.key_files import KeyFileError, Purpose, load_seed
from notarium_consensus.messages import signed_part
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.address import split_address
from notarium_ledger.errors import InvalidEquivocationFile
from notarium_ledger.types import Hash, Height
from notarium_node.api.problems import ApiProblem, parse_hash, parse_int
from notarium_node.api.submit import Submissions
from notarium_node.config import ConfigError, load_config
from notarium_node.identity.card import Card, CardError, read_card
from notarium_node.identity.tls import CertificateError, certificate_key
from notarium_node.operator import equivocations as proofs
from notarium_node.operator.ceremony import CeremonyError, ungrouped
from notarium_node.operator.node_api import NodeApi, NodeUnreachable
from notarium_node.peers import wire
from notarium_node.peers.limits import PeerLimits
from notarium_node.peers.link import PROTOCOL, HelloError, Link, LinkError, LinkSettings
from notarium_node.startup import StartupError, load_genesis, read_genesis

MAX_REQUEST_BYTES = 8 * 1024 * 1024


def _now(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that has nothing to wait for."""
    try:
        work.send(None)
    except StopIteration as end:
        return end.value
    work.close()
    raise RuntimeError("the handler waits")


# HTTP


class _Arrived:
    """A request whose body is there."""

    def __init__(self, content_type: str, body: bytes) -> None:
        self.content_type, self._body = content_type, body
        self.content_length = len(body)
        self.headers: dict[str, str] = {}
        self.content = SimpleNamespace(is_eof=lambda: True)

    async def read(self) -> bytes:
        return self._body


def _upload(method: str, content_type: str) -> Callable[[bytes], Any]:
    node: Any = None  # Reading a body needs no node.
    submissions = Submissions(node, MAX_REQUEST_BYTES, 1000)

    def read(data: bytes) -> Any:
        return _told(lambda: _now(getattr(submissions, method)(_Arrived(content_type, data))))

    return read


def _query(parse: Callable[[str], Any]) -> Callable[[bytes], Any]:
    return lambda data: _told(lambda: parse(data.decode("utf-8", "surrogateescape")))


def _told(work: Callable[[], Any]) -> Any:
    """Do `work`; a problem must make a response that names what was wrong, and is not endless."""
    try:
        return work()
    except ApiProblem as problem:
        said = json.dumps(problem.document())
        if len(said) > 4096 or not problem.more.get("field"):
            raise AssertionError(f"an answer that does not help: {said[:500]}") from problem
        raise


def _json_entry(entry: bytes) -> bytes:
    return json.dumps({"entry": base64.b64encode(entry).decode()}).encode()


def _json_entries(*entries: bytes) -> bytes:
    return json.dumps({"entries": [base64.b64encode(each).decode() for each in entries]}).encode()


# Peers


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


# Files


def _pinned_genesis() -> Callable[[bytes], Any]:
    pin = seeds.consortium().genesis.hash.hex()

    def load(path: Any) -> Any:
        config: Any = SimpleNamespace(node=SimpleNamespace(genesis=path, genesis_hash=pin))
        return load_genesis(config)

    return from_file("genesis.json", load)


def _asked(question: Callable[[], Coroutine[Any, Any, Any]]) -> Callable[[bytes], Any]:
    """What a node's API answers to the operator's program, and to the shell that shows it."""

    def ask(data: bytes) -> Any:
        async def get(*_: object) -> tuple[int, bytes]:
            return 200, data

        with patch.object(NodeApi, "get", get):
            answer = _now(question())
        json.dumps(answer, ensure_ascii=False).encode()
        return answer

    return ask


def _refusal(data: bytes) -> str:
    detail = proofs._detail(data)
    detail.encode()
    return detail


_key_file = from_file("validator.key", lambda path: load_seed(path, Purpose.VALIDATOR), mode=0o600)
_genesis_file = seeds.consortium().genesis.encode_json()
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

HTTP = (
    Target(
        "http: entry as msgpack",
        _upload("_read_one", "application/msgpack"),
        (ApiProblem,),
        ("notarium_node.api.submit:Submissions._read_one",),
        seeds.vector_bytes("entries"),
        lambda raw: raw,
    ),
    Target(
        "http: entry as JSON",
        _upload("_read_one", "application/json"),
        (ApiProblem,),
        ("notarium_node.api.submit:Submissions._member", "notarium_node.api.submit:_base64"),
        (_json_entry(_entries[0]),),
        _json_entry,
        is_canonical=False,
        dialect="json",
    ),
    Target(
        "http: batch as msgpack",
        _upload("_read_many", "application/msgpack"),
        (ApiProblem,),
        ("notarium_node.api.submit:Submissions._read_many",),
        (seeds.canonical_list(*_entries),),
        lambda raws: seeds.canonical_list(*raws),
    ),
    Target(
        "http: batch as JSON",
        _upload("_read_many", "application/json"),
        (ApiProblem,),
        (),
        (_json_entries(*_entries),),
        lambda raws: _json_entries(*raws),
        is_canonical=False,
        dialect="json",
    ),
    Target(
        "http: hash",
        _query(lambda text: parse_hash(text, "id")),
        (ApiProblem,),
        ("notarium_node.api.problems:parse_hash",),
        (b"ab" * 32,),
        dialect="text",
        max_bytes=8192,
    ),
    Target(
        "http: number",
        _query(lambda text: parse_int(SimpleNamespace(query={"n": text}), "n", 0, minimum=0, maximum=1000)),  # type: ignore[arg-type]
        (ApiProblem,),
        ("notarium_node.api.problems:parse_int",),
        (b"17", b"0"),
        dialect="text",
        max_bytes=8192,
    ),
)

FILES = (
    Target(
        "card",
        Card.read,
        (CardError,),
        ("notarium_node.identity.card:Card.read", "notarium_node.identity.card:_parse"),
        (seeds.card(),),
        dialect="json",
        max_bytes=20_000,
    ),
    Target(
        "card file",
        from_file("m0.card.json", read_card),
        (CardError,),
        ("notarium_node.identity.card:read_card",),
        (seeds.card(),),
        dialect="json",
        max_bytes=20_000,
    ),
    Target(
        "address",
        lambda data: split_address(data.decode("utf-8", "replace")),
        (ValueError,),
        ("notarium_ledger.entries.address:split_address",),
        (b"node.example.org:7000", b"[::1]:7000"),
        dialect="text",
        max_bytes=8192,
    ),
    Target(
        "hash read aloud",
        lambda data: ungrouped(data.decode("utf-8", "replace")),
        (CeremonyError,),
        ("notarium_node.operator.ceremony:ungrouped",),
        (b"abcd 0123 " * 8,),
        dialect="text",
        max_bytes=8192,
    ),
    Target(
        "node key file",
        _key_file,
        (KeyFileError,),
        ("notarium.key_files:load_seed",),
        (seeds.key_file("validator"),),
        dialect="text",
        max_bytes=8192,
    ),
    Target(
        "node.toml",
        from_file("node.toml", lambda path: load_config(path, {})),
        (ConfigError,),
        ("notarium_node.config:load_config", "notarium_node.config:parse_config"),
        (seeds.NODE_TOML,),
        dialect="text",
        max_bytes=40_000,
    ),
    Target(
        "node's environment",
        from_file("node.toml", lambda path: _overridden(path)),
        (ConfigError,),
        ("notarium_node.config:_toml_value",),
        (b"data", b'"/srv/notarium"'),
        dialect="text",
        max_bytes=40_000,
    ),
    Target(
        "pinned genesis file",
        _pinned_genesis(),
        (StartupError,),
        ("notarium_node.startup:load_genesis",),
        (_genesis_file,),
        dialect="json",
    ),
    Target(
        "equivocation file of an operator",
        from_file("equivocation.json", lambda path: proofs.read(path, seeds.consortium().genesis)),
        (InvalidEquivocationFile,),
        ("notarium_node.operator.equivocations:read",),
        seeds.equivocation_files(),
        dialect="json",
        memory_bytes=20 << 20,  # A buffer of the greatest size that a file may have.
    ),
    Target(
        "answer to an operator",
        _asked(lambda: NodeApi("https://node").status()),
        (NodeUnreachable,),
        ("notarium_node.operator.node_api:NodeApi.get_json",),
        (b'{"height": 3, "reasons": [], "peers": [{"member": "m1"}]}',),
        dialect="json",
    ),
    Target(
        "answer to an operator: equivocation",
        _asked(lambda: proofs.listed(NodeApi("https://node"))),
        (NodeUnreachable,),
        (),
        (b'{"equivocations": [{"id": "ab", "height": 3}], "next": null}',),
        dialect="json",
    ),
    Target(
        "answer to an operator: refusal",
        _refusal,
        (),
        ("notarium_node.operator.equivocations:_detail",),
        (seeds.problem(),),
        dialect="json",
    ),
    Target(
        "genesis file of an administrator",
        from_file("genesis.json", read_genesis),
        (StartupError,),
        ("notarium_node.startup:read_genesis",),
        (_genesis_file,),
        dialect="json",
    ),
)


def _overridden(path: Any) -> Any:
    value = path.read_bytes().decode("utf-8", "surrogateescape")
    path.write_bytes(seeds.NODE_TOML)
    return load_config(path, {"NOTARIUM_NODE_NODE__DATA_DIR": value, "NOTARIUM_NODE_API__WAIT_MS": "7"})
