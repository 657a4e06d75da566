"""What the fuzzers found, each with the least input that shows it."""

import tracemalloc

import pytest
from tests.fuzz import seeds

from notarium_consensus.errors import InvalidMessage, InvalidRecord
from notarium_consensus.messages import decode_message
from notarium_consensus.record import PREPARED_KEY, decode_record
from notarium_ledger import canonical
from notarium_ledger.block import Decision, Header
from notarium_ledger.entry import decode_entry
from notarium_ledger.errors import InvalidBlock, InvalidEntry, LedgerError
from notarium_ledger.items import check_items
from notarium_ledger.types import Height
from notarium_node import wire
from notarium_node.tls import CertificateError, certificate_key, is_usable

MIB = 1 << 20
NESTED_CLAIMS = (b"\xdc\x40\x00" * 1000) + b"\xc0" * 17_000
"""A thousand lists, one inside the other, each of which promises 16,384 items: 20 KB that took 80 MiB and 50 ms."""


def empties(count: int) -> bytes:
    """A list of empty lists: one byte each here, and 64 once they are built."""
    return b"\xdd" + count.to_bytes(4, "big") + b"\x90" * count


def peak_bytes(decode, data) -> int:
    """The most memory that `decode(data)` held at one time."""
    tracemalloc.start()
    try:
        with pytest.raises((LedgerError, wire.BadMessage)):
            decode(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "decode",
    [
        decode_entry,
        canonical.decode,
        decode_message,
        Decision.decode,
        lambda data: wire.unpack_list(data, wire.MAX_GOSSIP_ENTRIES),
        wire.unpack_status,
        wire.unpack_get_blocks,
    ],
)
def test_lists_that_promise_more_than_there_is_take_no_memory(decode):
    assert peak_bytes(decode, NESTED_CLAIMS) < 4 * MIB


@pytest.mark.parametrize(
    "decode", [decode_message, Decision.decode, lambda data: wire.unpack_list(data, wire.MAX_GOSSIP_ENTRIES)]
)
def test_a_message_of_empty_lists_is_not_built(decode):
    """What a peer may send at once, 32 MiB of them, took 2 GiB."""
    assert peak_bytes(decode, empties(4 * MIB)) < MIB


@pytest.mark.parametrize("name", ["blocks", "certificates", "canonical", "entries", "bodies"])
def test_counting_agrees_with_decoding(name):
    for data in seeds.vector_bytes(name, "decision" if name == "blocks" else "hex"):
        number = count(canonical.decode(data))
        check_items(data, number)
        if number > 1:
            with pytest.raises(LedgerError):
                check_items(data, number - 1)


def count(value) -> int:
    """The value, what is inside it, and the keys of maps."""
    if isinstance(value, dict):
        return 1 + sum(1 + count(each) for each in value.values())
    return 1 + sum(map(count, value)) if isinstance(value, list) else 1


def test_an_error_does_not_repeat_what_it_complains_about():
    """A version of 20 MiB stood in the log four times as long."""
    for decode, error in ((decode_message, InvalidMessage), (Header.decode, InvalidBlock)):
        with pytest.raises(error) as caught:
            decode(canonical.encode([bytes(MIB)] + [1] * 10))
        assert len(str(caught.value)) < 200


def test_a_version_that_only_equals_one_is_none():
    """true equals 1 in Python, and is another encoding."""
    value = canonical.decode(seeds.prepared())
    assert isinstance(value, list)
    with pytest.raises(InvalidRecord):
        decode_record({PREPARED_KEY: canonical.encode([True, *value[1:]])}, Height(1))


@pytest.mark.parametrize(
    ("old", "new"), [(b"\x2b\x65\x70", b"\x2b\x65\x01"), (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x07")]
)
def test_a_certificate_of_an_unknown_kind_of_key_or_version_is_refused_and_stops_no_node(old, new):
    """The registry keeps certificates unread. One of these in it kept every node of the consortium from starting."""
    odd = seeds.certificate().replace(old, new)
    assert odd != seeds.certificate()
    with pytest.raises(CertificateError):
        certificate_key(odd)
    assert not is_usable(odd)


def test_an_entry_with_a_list_that_is_too_long_still_names_the_list():
    body = {"v": 1, "kind": "dataset", "issuer": "m0", "project": "p", "disclosure": "public", "bundle": bytes(32)}
    body["subjects"] = [{"digest": bytes(32), "role": "data"}] * 65
    with pytest.raises(InvalidEntry) as caught:
        decode_entry(canonical.encode([1, canonical.encode(body), bytes(32), bytes(64)]))
    assert caught.value.field == "body.subjects"
