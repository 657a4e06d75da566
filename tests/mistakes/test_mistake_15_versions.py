"""Mistake 15: a rolling upgrade breaks decoding (besu PR 9977). Nodes are upgraded one after the other, so what a later
version says is ignored and its sender is not punished; what is wrong is still wrong. What a node reads from its own
disk or from a file it refuses by name if the version is another, and touches nothing.
"""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import plyvel
import pytest
from tests.consensus.harness import Bench, Club
from tests.mistakes import nodes
from tests.mistakes.nodes import cluster, eventually, fresh
from tests.mistakes.planted import must_fail
from tests.node import peering
from tests.support.chains import grow
from tests.support.consortium import Consortium

from notarium_consensus.errors import InvalidMessage, InvalidRecord, LaterVersion
from notarium_consensus.messages import Message, decode_message, encode_message
from notarium_consensus.signing_record import PREPARED_KEY, decode_record
from notarium_ledger.blocks.block import Header
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import decode_entry
from notarium_ledger.errors import EntryOfLaterVersion, InvalidBlock, InvalidEntry, InvalidGenesis
from notarium_ledger.state.genesis import Genesis
from notarium_node.identity import tls
from notarium_node.peers import link as peer_link
from notarium_node.peers import wire
from notarium_node.peers.conduct import Conduct
from notarium_node.peers.wire import Kind
from notarium_store import Store, StoreCorruption, keys


def what_is_unknown_is_garbage(patch: pytest.MonkeyPatch) -> None:
    """Unknown kinds and versions end the connection and earn a ban."""
    patch.setattr(wire, "is_of_later_version", lambda message: False)

    class Never(Exception):
        """Nothing raises it."""

    patch.setattr("notarium_node.routing.peers.LaterVersion", Never)
    patch.setattr("notarium_node.entries.admission.EntryOfLaterVersion", Never)


def later_is_wrong(patch: pytest.MonkeyPatch) -> None:
    """An unknown version is an error like any other."""
    patch.setattr("notarium_consensus.messages.LaterVersion", InvalidMessage)


def everything_unknown_is_ignored(patch: pytest.MonkeyPatch) -> None:
    """The other way round: nobody is ever parted with."""
    patch.setattr(Conduct, "drop", lambda self, peer, reason, detail: None)


def a_hello_has_two_parts(patch: pytest.MonkeyPatch) -> None:
    """And never more."""
    greet = peer_link.Link.greet

    async def strict(self: Any) -> None:
        receive = self._socket.receive

        async def receive_two() -> Any:
            message = await receive()
            if len(canonical.decode(message.data)) != 2:
                raise peer_link.HelloError("bad hello", "not two parts")
            return message

        self._socket.receive = receive_two
        await greet(self)

    patch.setattr(peer_link.Link, "greet", strict)


def versions_are_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    """Read it as if it were ours."""
    patch.setattr("notarium_store.opening.check_meta", lambda database, genesis: None)
    patch.setattr("notarium_ledger.blocks.block.HEADER_VERSION", 2)
    patch.setattr("notarium_consensus.signing_record.RECORD_VERSION", 2)
    patch.setattr("notarium_ledger.state.genesis._check", lambda document: None)


def next_version(data: bytes, version: int = 2) -> bytes:
    """The same with another version, which stands first in whatever has one."""
    value = canonical.decode(data)
    assert isinstance(value, list)
    assert value[0] == 1
    return canonical.encode([version, *value[1:]])


def said_by_a_later_version() -> dict[str, bytes]:
    """What a node of the next version may send to one of this."""
    club = Club()
    consortium = Consortium(4)
    entry = canonical.decode(consortium.entry().raw)
    assert isinstance(entry, list)
    assert isinstance(entry[1], bytes)
    body = canonical.decode(entry[1])
    assert isinstance(body, dict)
    new_body = canonical.encode({**body, "v": 2, "kind": "survey", "unheard": 1})
    messages: list[Message] = [club.prepare(1, 0, club.block(1)), club.change(1, 1), club.proposal(1, 0, club.block(1))]
    return {
        "kind 0x20": b"\x20" + b"whatever it means",
        "kind 0x3f": b"\x3f",
        **{
            f"{message.kind.name} of version 2": bytes((Kind.CONSENSUS,)) + next_version(encode_message(message))
            for message in messages
        },
        "an entry of form 3": wire.pack_list(Kind.ENTRIES, [canonical.encode([3, *entry[1:], 7])]),
        "an entry whose body is of version 2": wire.pack_list(
            Kind.ENTRIES, [canonical.encode([1, new_body, *entry[2:]])]
        ),
    }


def said_by_a_liar() -> dict[str, bytes]:
    """What no version says."""
    club = Club()
    entry = canonical.decode(Consortium(4).entry().raw)
    assert isinstance(entry, list)
    vote = canonical.decode(encode_message(club.prepare(1, 0, club.block(1))))
    assert isinstance(vote, list)
    return {
        "nothing": b"",
        "kind 0": b"\x00",
        "kind 0x40": b"\x40",
        "kind 0x99": b"\x99rubbish",
        "a vote of version 0": bytes((Kind.CONSENSUS,)) + canonical.encode([0, *vote[1:]]),
        "a vote of kind 9": bytes((Kind.CONSENSUS,)) + canonical.encode([1, 9, *vote[2:]]),
        "rubbish of a known kind": bytes((Kind.CONSENSUS,)) + b"rubbish",
        "an entry of form 0": wire.pack_list(Kind.ENTRIES, [canonical.encode([0, *entry[1:]])]),
        "an entry with another signature": wire.pack_list(Kind.ENTRIES, [canonical.encode([*entry[:3], bytes(64)])]),
    }


@pytest.mark.parametrize("what", said_by_a_later_version())
async def test_mistake_15_what_a_later_version_says_is_ignored_and_its_sender_keeps_its_connection(
    what: str, tmp_path: Path
) -> None:
    async with cluster(fresh(tmp_path), run=[0]) as made:
        newer = await made.puppet(1)
        await eventually(lambda: newer.view.links)
        for _ in range(3):
            newer.tell_all(said_by_a_later_version()[what])
        await made.submit(0)  # Something that can be waited for.
        await eventually(lambda: any(data[0] == Kind.ENTRIES for _, data in newer.heard))
        await _settle(made)
        assert made.view(0).dropped_peers == []
        assert len(made.nodes[0].mempool) == 1, "what it does not know it does not admit"


@pytest.mark.parametrize("what", said_by_a_liar())
async def test_mistake_15_what_no_version_says_still_ends_the_connection(what: str, tmp_path: Path) -> None:
    async with cluster(fresh(tmp_path), run=[0]) as made:
        liar = await made.puppet(1)
        await eventually(lambda: liar.view.links)
        liar.tell_all(said_by_a_liar()[what])
        await eventually(lambda: [peer for peer, _ in made.view(0).dropped_peers] == [liar.key.public])


async def _settle(made: nodes.Cluster) -> None:
    """All that was begun for peers is done."""
    await eventually(lambda: not any(len(node.tasks) for node in made.nodes.values()))


async def test_mistake_15_a_half_upgraded_network_decides_and_nobody_is_parted_with(tmp_path: Path) -> None:
    """Nodes 2 and 3 are of the next version: with everything they say, they say what the others do not know."""
    said_by_later = said_by_a_later_version()
    async with cluster(fresh(tmp_path)) as made:
        for number in (2, 3):
            view = made.view(number)
            send = view.send

            def say_more(peer: Any, data: bytes, slot: object = None, send: Any = send) -> bool:
                # Only in step with what is said anyhow, and to the nodes of this version.
                if peer in (made.keys[0].public, made.keys[1].public):
                    for more in said_by_later.values():
                        send(peer, more)
                return send(peer, data, slot)

            view.send = say_more  # type: ignore[method-assign]
        for number in range(4):
            await made.decided(await made.submit(number))
        made.agree()
        for number in (0, 1):
            assert made.view(number).dropped_peers == []
            assert made.nodes[number].event_counts["later_version"] > 0, "the operator can see it"


async def test_mistake_15_a_hello_that_says_more_is_understood_and_another_protocol_is_named() -> None:
    """On real sockets. A later version says in HELLO what it can do; only `notarium-peer/2` is another protocol."""
    records = [peering.make_record(1), peering.make_record(0)]
    for hello, connected in (
        ([b"notarium-peer/1", peering.GENESIS, ["equivocation", 2], {"software": "9.9"}], True),
        ([b"notarium-peer/2", peering.GENESIS], False),
    ):
        target = peering.Node(1, records, own=records[0])
        async with peering.running(target), aiohttp.ClientSession() as session:
            seed = peering.seed_of(peering.ORDERED[0])
            context = tls.client_context(tls.make_certificate(seed), seed, [target.record.certificate])
            url = f"https://127.0.0.1:{target.net.port}/peer"
            async with session.ws_connect(url, ssl=context, max_msg_size=0) as socket:
                await socket.send_bytes(canonical.encode(hello))
                await target.until(lambda target=target: target.events or +target.net.refused)
                assert bool(target.events) is connected, dict(target.net.refused)
                assert dict(+target.net.refused) == ({} if connected else {"other protocol": 1})


def test_mistake_15_a_message_of_a_later_version_is_told_from_a_wrong_one() -> None:
    club = Club()
    data = encode_message(club.commit(1, 0, club.block(1)))
    raw = Consortium(1).entry().raw
    for version, is_later in ((2, True), (7, True), (0, False)):
        with pytest.raises(InvalidMessage, match=rf"message\.version: {version}, this software reads 1") as message:
            decode_message(next_version(data, version))
        assert isinstance(message.value, LaterVersion) is is_later
        with pytest.raises(InvalidEntry) as entry:
            decode_entry(next_version(raw, version + 1 if is_later else 0))
        assert isinstance(entry.value, EntryOfLaterVersion) is is_later


def _store(tmp_path: Path) -> None:
    consortium = Consortium(4)
    path = fresh(tmp_path) / "store"
    with Store.open(path, consortium.genesis) as store:
        grow(store, consortium, [2])
    later = canonical.encode([99, bytes(consortium.genesis.hash)])
    with contextlib.closing(plyvel.DB(str(path))) as database:
        database.put(keys.META, later)
        before = dict(database)
    try:
        Store.open(path, consortium.genesis).close()
    finally:
        with contextlib.closing(plyvel.DB(str(path))) as database:
            assert dict(database) == before, "a store of another version is left as it is"


def _header(tmp_path: Path) -> None:
    Header.decode(next_version(Club().block(1).header.raw))


def _record(tmp_path: Path) -> None:
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.receive(*(bench.club.prepare(signer, 0, block) for signer in (1, 2)))
    decode_record({**bench.disk, PREPARED_KEY: next_version(bench.disk[PREPARED_KEY])}, 1)


def _recorded_message(tmp_path: Path) -> None:
    bench = Bench(own=0)
    bench.accept(bench.club.proposal(1, 0, bench.club.block(1)))
    decode_record({slot: next_version(value) for slot, value in bench.disk.items()}, 1)


def _genesis(tmp_path: Path) -> None:
    document = {**Consortium(4)._document({}), "format": "notarium-genesis/2"}
    Genesis.decode_json(json.dumps(document).encode())


FILES: dict[str, tuple[Callable[[Path], None], type[Exception], str]] = {
    "store": (_store, StoreCorruption, "format version 99, this software reads"),
    "header": (_header, InvalidBlock, "version 2, this software reads 1"),
    "record": (_record, InvalidRecord, "not \\[1, round"),
    "recorded message": (_recorded_message, InvalidRecord, "not \\[1, vote\\]"),
    "genesis": (_genesis, InvalidGenesis, "format"),
}


@pytest.mark.parametrize("what", FILES)
def test_mistake_15_what_another_version_wrote_is_refused_by_name_and_left_as_it_is(what: str, tmp_path: Path) -> None:
    read, error, words = FILES[what]
    with pytest.raises(error, match=words):
        read(tmp_path)


def test_mistake_15_planted_is_caught_by_each_test(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nodes, "WAIT_S", 0.3)
        for what in said_by_a_later_version():
            must_fail(
                what_is_unknown_is_garbage,
                test_mistake_15_what_a_later_version_says_is_ignored_and_its_sender_keeps_its_connection,
                what,
                tmp_path,
            )
        for what in ("nothing", "kind 0x40", "a vote of version 0", "an entry of form 0"):
            must_fail(
                everything_unknown_is_ignored,
                test_mistake_15_what_no_version_says_still_ends_the_connection,
                what,
                tmp_path,
            )
        must_fail(
            what_is_unknown_is_garbage,
            test_mistake_15_a_half_upgraded_network_decides_and_nobody_is_parted_with,
            tmp_path,
        )
    must_fail(later_is_wrong, test_mistake_15_a_message_of_a_later_version_is_told_from_a_wrong_one)
    must_fail(a_hello_has_two_parts, test_mistake_15_a_hello_that_says_more_is_understood_and_another_protocol_is_named)


@pytest.mark.parametrize("what", ["store", "header", "record", "genesis"])
def test_mistake_15_planted_versions_that_nobody_looks_at_are_caught(what: str, tmp_path: Path) -> None:
    must_fail(
        versions_are_not_looked_at,
        test_mistake_15_what_another_version_wrote_is_refused_by_name_and_left_as_it_is,
        what,
        tmp_path,
    )
