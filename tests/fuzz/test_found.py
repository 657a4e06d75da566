"""What the fuzzers found, each with the least input that shows it."""

import json
import tracemalloc
from typing import Any

import pytest
from tests.fuzz import seeds
from tests.fuzz.targets import by_name

from notarium.anchoring import journal
from notarium.anchoring.outbox import Outbox
from notarium.errors import InvalidRecordFile, LyingNode, ProjectError
from notarium.evidence.digest_cache import DigestCache, FileState
from notarium.evidence.record import Record
from notarium.ledger_access.answers import PROBLEM_TYPE, Answer, read_problem, read_status
from notarium.project import _Settings
from notarium_consensus.errors import InvalidMessage, InvalidRecord
from notarium_consensus.messages import decode_message
from notarium_consensus.signing_record import PREPARED_KEY, decode_record
from notarium_ledger.blocks.block import Decision, Header
from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.json_file import parse_json
from notarium_ledger.encoding.value_count import check_value_count
from notarium_ledger.entries.entry import decode_entry
from notarium_ledger.errors import InvalidBlock, InvalidEntry, LedgerError
from notarium_ledger.types import Height
from notarium_node.api.problems import ApiProblem
from notarium_node.config.reading import ConfigError, load_config
from notarium_node.identity.tls import CertificateError, certificate_key, is_usable
from notarium_node.peers import wire

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
        check_value_count(data, number)
        if number > 1:
            with pytest.raises(LedgerError):
                check_value_count(data, number - 1)


def count(value) -> int:
    """The value, what is inside it, and the keys of maps."""
    if isinstance(value, dict):
        return 1 + sum(1 + count(each) for each in value.values())
    return 1 + sum(map(count, value)) if isinstance(value, list) else 1


def test_an_error_does_not_repeat_what_it_complains_about():
    """A version of 20 MiB stood in the log four times as long."""
    data = canonical.encode([bytes(MIB), *[1] * 10])
    for decode, error in ((decode_message, InvalidMessage), (Header.decode, InvalidBlock)):
        with pytest.raises(error) as caught:
            decode(data)
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
    body: Any = {"v": 1, "kind": "dataset", "issuer": "m0", "project": "p", "disclosure": "public", "record": bytes(32)}
    body["subjects"] = [{"digest": bytes(32), "role": "data"}] * 65
    with pytest.raises(InvalidEntry) as caught:
        decode_entry(canonical.encode([1, canonical.encode(body), bytes(32), bytes(64)]))
    assert caught.value.field == "body.subjects"


# HTTP


def test_a_body_of_empty_json_lists_is_not_built():
    target = by_name("http: batch as JSON")
    data = b'{"entries": [' + b"[]," * (MIB // 4) + b"[]]}"
    tracemalloc.start()
    try:
        with pytest.raises(ApiProblem) as caught:
            target.decode(data)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()
    assert caught.value.more["field"] == "entries"


def test_a_body_that_is_no_json_names_the_body():
    with pytest.raises(ApiProblem) as caught:
        by_name("http: entry as JSON").decode(b'{"entry": ')
    assert caught.value.more["field"] == "body"


# Files of an operator and of a researcher


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"x = " + b"9" * 5000, "a number of thousands of digits"),
        (b"a." * 20_000, "more than 32768 bytes"),
        (b"x = " + b"[" * 3000 + b"]" * 3000, "nested too deeply"),
        (b"x = " + b"[" * 400 + b"]" * 400, "nested too deeply"),
        (b'data_dir = "~nobody-here/data"', "node.data_dir: there is no user ~nobody-here"),
        (b'data_dir = "a\\u0000b"', "U.0000"),
    ],
)
def test_an_odd_node_toml_is_told_as_such(tmp_path, line, said):
    path = tmp_path / "node.toml"
    path.write_bytes(seeds.NODE_TOML.replace(b'data_dir = "data"', line))
    with pytest.raises(ConfigError, match=said):
        load_config(path, {})


def test_a_nested_value_in_the_environment_is_told_as_such(tmp_path):
    path = tmp_path / "node.toml"
    path.write_bytes(seeds.NODE_TOML)
    with pytest.raises(ConfigError, match=r"api\.wait_ms"):
        load_config(path, {"NOTARIUM_NODE_API__WAIT_MS": "[" * 3000})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"x = " + b"9" * 5000, "a number of thousands of digits"),
        (b"x = " + b"[" * 3000 + b"]" * 3000, "nested too deeply"),
        (b"a." * 20_000, "more than 32768 bytes"),
    ],
)
def test_an_error_names_an_odd_config_of_a_project(tmp_path, content, said):
    """The last one, with ten times as many dots, took minutes."""
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ProjectError, match=rf"config\.toml.*{said}"):
        _Settings.read(path)


ODD_TIMES = [b"1e999", b"[" * 3000, b"9" * 18, b"-1", b"1.5", b'"1"']
"""A time beyond the year 9999 was read, and ended the command that was to print it."""


@pytest.mark.parametrize("odd", ODD_TIMES)
def test_a_damaged_outbox_file_is_named(tmp_path, odd):
    (tmp_path / "0.json").write_bytes(seeds.outbox_file().replace(b"1760000000000", odd))
    [damaged] = Outbox(tmp_path, seeds.consortium().genesis).damaged()
    assert "0.json is damaged" in str(damaged)


@pytest.mark.parametrize("odd", ODD_TIMES)
def test_a_damaged_line_of_the_journal_is_left_out(tmp_path, odd):
    (tmp_path / journal.FILE).write_bytes(seeds.journal().replace(b"1760000000000", odd, 1))
    assert [each.kind for each in journal.read(tmp_path)] == ["model"]


def test_a_record_of_an_endless_file_is_none():
    with pytest.raises(InvalidRecordFile):
        Record.from_statement(parse_json(seeds.statements()[0].replace(b'"size":12', b'"size":1e999')))


def test_a_damaged_digest_cache_is_thrown_away_also_where_sqlite_cannot_say_why(tmp_path):
    path = tmp_path / "digests.sqlite"
    DigestCache(path).put_many([(FileState(1, 2, 3, 4, 5), "ab" * 32)], 10**19)
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE digest (device", b"CREATE TABLE digest (\xe0evice"))
    cache = DigestCache(path)
    assert cache.get_many([FileState(1, 2, 3, 4, 5)]) == [None]
    assert cache.problem
    assert not path.exists()


# What nodes answer


@pytest.mark.parametrize("odd", ["\ud800", [[[["deep"]]]], {"a": "\ud800"}])
@pytest.mark.parametrize("name", ["detail", "title", "type", "remedy", "errors"])
def test_a_problem_can_always_be_printed(name, odd):
    body = json.dumps({"type": "urn:notarium:problem:busy", name: [{"detail": odd}] if name == "errors" else odd})
    problem = read_problem(Answer("https://node", 422, PROBLEM_TYPE, body.encode()))
    str(problem).encode()
    json.dumps(problem.errors, ensure_ascii=False).encode()


DEEP = json.loads("[" * 20 + "]" * 20)


@pytest.mark.parametrize("said", [{"reasons": 5}, {"member": "\ud800"}, {"\ud800": 1}, {"peers": DEEP}])
def test_a_status_that_cannot_be_printed_is_a_lie(said):
    genesis = seeds.consortium().genesis.hash
    body = json.dumps({"genesis": genesis.hex(), **said}).encode()
    with pytest.raises(LyingNode):
        read_status(Answer("https://node", 200, "application/json", body), genesis)
