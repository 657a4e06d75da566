"""POST /v1/entries and /v1/entries/batch: what is taken, and what is refused with which problem."""

import json
import os

import pytest
from tests.node.http_api import MSGPACK, RECEIPT, b64, entry_id

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import MAX_BATCH, MAX_ENTRY_BYTES, decode_entry, sign_batch, sign_entry
from notarium_ledger.signing import ENTRY_TAG, SigningKey
from notarium_ledger.trust.receipt import Receipt, ReceiptVerifier
from notarium_ledger.trust.receipt_batch import decode_receipts
from notarium_ledger.types import Hash
from notarium_node.api import submit
from notarium_node.api.problems import ApiProblem, ProblemType

ENTRY_TYPES = [MSGPACK, "application/vnd.notarium.entry.v1+msgpack", "application/octet-stream"]


@pytest.fixture
def sign(world):
    """Signs a body by the researcher; without one, another body each time."""

    def sign(body=None, key=None, genesis=None):
        return sign_entry(key or world.researcher, genesis or world.genesis.hash, body or world.body())

    return sign


@pytest.fixture
def enrolled(world, sign):
    """A new key, enrolled for m0."""
    key = SigningKey(os.urandom(32))
    enrolment = {"v": 1, "kind": "enrol", "member": "m0", "key": bytes(key.public)}
    assert world.node.submit(sign(enrolment, key=world.admin)).status == 200
    return key


@pytest.fixture
def verifier(world):
    return ReceiptVerifier(world.genesis)


# What is taken


@pytest.mark.parametrize("content_type", ENTRY_TYPES)
def test_an_entry_is_answered_with_its_receipt_which_verifies_with_the_genesis_alone(
    world, sign, verifier, content_type
):
    raw = sign()
    answer = world.node.post("/v1/entries", raw, content_type)
    assert (answer.status, answer.media_type) == (200, RECEIPT)
    verified = verifier.verify_json(answer.body)
    assert verified.entry.raw == raw
    assert world.node.get(f"/v1/receipts/{entry_id(raw)}").body == answer.body


def test_an_entry_may_come_in_json(world, sign, verifier):
    raw = sign()
    answer = world.node.post_json("/v1/entries", {"entry": b64(raw)})
    assert answer.status == 200
    assert verifier.verify_json(answer.body).entry.raw == raw


def test_the_same_entry_again_is_one_entry_with_the_same_receipt(world, sign):
    raw = sign()
    first = world.node.submit(raw)
    size = world.node.get("/v1/log").json["size"]
    assert world.node.submit(raw).body == first.body
    assert world.node.submit(raw, "?wait=none").body == first.body
    assert world.node.get("/v1/log").json["size"] == size


def test_a_batch_in_msgpack_is_answered_with_all_receipts_in_order(world, verifier):
    raws = sign_batch(world.researcher, world.genesis.hash, [world.body() for _ in range(100)])
    answer = world.node.post("/v1/entries/batch", canonical.encode(list(raws)), Accept=MSGPACK)
    assert (answer.status, answer.media_type) == (200, MSGPACK)
    receipts = decode_receipts(answer.body, raws)
    assert [verifier.verify(each).entry.raw for each in receipts if each] == raws


def test_a_batch_in_json_is_answered_with_one_row_for_each(world, sign):
    raws = [sign() for _ in range(5)]
    answer = world.node.post_json("/v1/entries/batch", {"entries": [b64(raw) for raw in raws]})
    assert answer.status == 200
    rows = answer.json["results"]
    assert [row["id"] for row in rows] == [entry_id(raw) for raw in raws]
    assert {row["status"] for row in rows} == {"decided"}
    for row, raw in zip(rows, raws, strict=True):
        receipt = Receipt.decode_json(world.node.get(f"/v1/receipts/{row['id']}").body)
        assert (receipt.entry, receipt.index) == (raw, row["index"])


def test_a_batch_may_mix_new_known_and_repeated_entries(world, sign):
    known, new = sign(), sign()
    world.node.submit(known)
    size = world.node.get("/v1/log").json["size"]
    rows = world.node.post_json("/v1/entries/batch", {"entries": [b64(each) for each in (new, known, new)]})
    assert rows.status == 200
    assert rows.json["results"][0] == rows.json["results"][2]
    assert world.node.get("/v1/log").json["size"] == size + 1


def test_the_largest_batch_is_taken(world, enrolled):
    """By a key of its own, because it uses up what a key may submit at once."""
    bodies = [world.body(project=f"largest {number}") for number in range(MAX_BATCH)]
    raws = sign_batch(enrolled, world.genesis.hash, bodies)
    answer = world.node.post("/v1/entries/batch?timeout_ms=20000", canonical.encode(list(raws)), Accept=MSGPACK)
    assert answer.status == 200
    assert None not in decode_receipts(answer.body, raws)


# What is refused


def test_an_invalid_entry_of_a_batch_refuses_all_of_it_and_is_named(world, sign):
    good, bad = sign(), sign(genesis=Hash(b"x" * 32))
    answer = world.node.post("/v1/entries/batch", canonical.encode([good, bad, b"rubbish"]))
    problem = answer.problem(422, "invalid-entry")
    assert [(each["position"], each["field"]) for each in problem["errors"]] == [(1, "sig"), (2, "entry")]
    assert world.node.get(f"/v1/entries/{entry_id(good)}").status == 404


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"", "entry"),
        (b"\xc1", "entry"),
        (b"\x93\x01\x02\x03", "entry"),
        (b"\x80", "entry"),
        (canonical.encode([1, b"", b"k" * 32, b"s" * 64]), "body"),
        (canonical.encode([1, b"\x80", b"k" * 32, b"s" * 64]), "body.kind"),
        (canonical.encode([1, b"\x80", b"k" * 31, b"s" * 64]), "key"),
        (canonical.encode([1, b"\x80", b"k" * 32, b"s" * 63]), "sig"),
        (canonical.encode([3, b"\x80", b"k" * 32, b"s" * 64]), "entry"),
        (canonical.encode([1, b"\x80", b"k" * 32, b"s" * 64]) + b"\x00", "entry"),
    ],
)
def test_a_malformed_entry_is_refused_and_its_field_named(world, raw, field):
    assert world.node.submit(raw).problem(422, "invalid-entry")["field"] == field


@pytest.mark.parametrize(
    ("over", "field"),
    [
        ({"unknown": 1}, "body.unknown"),
        ({"record": b"short"}, "body.record"),
        ({"kind": "novel"}, "body.kind"),
        ({"subjects": [{"digest": b"short", "role": "input"}]}, "body.subjects[0].digest"),
    ],
)
def test_a_body_against_its_schema_is_refused_with_the_path(world, over, field):
    body = canonical.encode(world.body(**over))
    signature = world.researcher.sign(ENTRY_TAG + world.genesis.hash + body)
    raw = canonical.encode([1, body, bytes(world.researcher.public), bytes(signature)])
    assert world.node.submit(raw).problem(422, "invalid-entry")["field"] == field


def test_a_wrong_signature_is_refused(world, sign):
    entry = decode_entry(sign())
    forged = canonical.encode([1, entry.body_bytes, bytes(entry.key), os.urandom(64)])
    assert world.node.submit(forged).problem(422, "invalid-entry")["field"] == "sig"


def test_an_entry_signed_for_another_ledger_is_refused(world, sign):
    foreign = sign(genesis=Hash(os.urandom(32)))
    assert world.node.submit(foreign).problem(422, "invalid-entry")["field"] == "sig"


def test_an_unknown_key_may_not_write(world, sign):
    problem = world.node.submit(sign(key=SigningKey(os.urandom(32)))).problem(403, "unknown-key")
    assert problem["field"] == "key"
    assert problem["detail"] == "key: is not enrolled"
    assert problem["remedy"] == "Ask your institution's administrator to enrol this key."


def test_a_key_may_not_write_for_another_institution(world, sign):
    problem = world.node.submit(sign(world.body(issuer="m1"))).problem(422, "invalid-entry")
    assert problem["field"] == "body.issuer"


def test_a_revoked_key_may_not_write_any_more_but_its_entries_stay(world, sign):
    before = sign(key=world.to_be_revoked)
    receipt = world.node.submit(before)
    assert receipt.status == 200
    revocation = {"v": 1, "kind": "revoke", "member": "m0", "key": bytes(world.to_be_revoked.public)}
    assert world.node.submit(sign(revocation, key=world.admin)).status == 200
    problem = world.node.submit(sign(key=world.to_be_revoked)).problem(403, "unknown-key")
    assert problem["detail"] == "key: was revoked"
    assert problem["remedy"] == "Make a new key and have it enrolled: see the researchers' guide."
    assert world.node.submit(before).body == receipt.body
    rows = {each["key"]: each["revoked"] for each in world.node.get("/v1/members").json["researchers"]}
    assert rows[world.to_be_revoked.public.hex()] is True
    assert rows[world.researcher.public.hex()] is False


def test_an_enrolled_key_may_write(world, sign, enrolled):
    assert world.node.submit(sign(key=enrolled)).status == 200
    enrolment = {"v": 1, "kind": "enrol", "member": "m0", "key": bytes(enrolled.public)}
    again = world.node.submit(sign(enrolment, key=world.researcher))
    problem = again.problem(403, "unknown-key")
    assert problem["field"] == "key"
    assert problem["detail"] == "key: is not the governance key of m0"
    assert problem["remedy"] == "Use the governance key of that member."


def test_an_entry_above_the_ledgers_limit_is_too_large(world, sign):
    subjects = [{"digest": os.urandom(32), "role": "input", "name": "n" * 240} for _ in range(64)]
    raw = sign(world.body(subjects=subjects, policy="p" * 255))
    limit = world.genesis.registry.parameters.max_entry_bytes
    assert limit < len(raw) < MAX_ENTRY_BYTES
    problem = world.node.submit(raw).problem(413, "too-large")
    assert (problem["field"], problem["limit"]) == ("entry", limit)


def test_an_entry_above_every_limit_is_too_large(world):
    problem = world.node.submit(b"x" * (MAX_ENTRY_BYTES + 1)).problem(413, "too-large")
    assert (problem["field"], problem["limit"]) == ("entry", MAX_ENTRY_BYTES)


@pytest.mark.parametrize(("media_type", "limit"), [(MSGPACK, 8 * 1024 * 1024), ("application/json", 1024 * 1024)])
def test_a_body_above_its_limit_is_too_large(world, media_type, limit):
    problem = world.node.post("/v1/entries/batch", b"x" * (limit + 1), media_type).problem(413, "too-large")
    assert (problem["field"], problem["limit"]) == ("body", limit)
    assert "smaller batches" in problem["remedy"]
    assert (MSGPACK in problem["remedy"]) == (media_type != MSGPACK)


@pytest.mark.parametrize("path", ["/v1/entries", "/v1/entries/batch"])
def test_a_body_in_chunks_is_refused(world, path):
    answer = world.node.post(path, iter([b"x"]))
    assert answer.problem(411, "length-required")["remedy"]
    assert answer.headers["connection"] == "close"


def test_a_batch_of_too_many_is_refused_before_anything_is_made_of_it(monkeypatch):
    def nothing(*_):
        raise AssertionError("it was parsed")

    monkeypatch.setattr(submit, "parse_json", nothing)
    monkeypatch.setattr(canonical, "decode_shortest", nothing)
    kinds: list[canonical.Value] = [b"", [], ""]
    bodies = [(submit._batch_in_msgpack, canonical.encode([each] * (MAX_BATCH + 1))) for each in kinds]
    bodies += [(submit._batch_in_json, b'{"entries":[' + b"%b," % each * MAX_BATCH + b'""]}') for each in (b'""', b"1")]
    for decode, body in bodies:
        with pytest.raises(ApiProblem) as caught:
            decode(body)
        assert (caught.value.kind, caught.value.more["limit"]) == (ProblemType.TOO_LARGE, MAX_BATCH)


@pytest.mark.parametrize("body", [b'{"entry":["",""]}', b'{"entry":"","x":1}', b"[[[[]]]]", b'{"a":{"b":{}}}'])
def test_json_that_cannot_be_one_entry_is_not_parsed(monkeypatch, body):
    monkeypatch.setattr(submit, "parse_json", lambda data: pytest.fail("it was parsed"))
    with pytest.raises(ApiProblem) as caught:
        submit._json_member(body, "entry", str, most=1)
    assert caught.value.more["field"] == "entry"


def test_a_batch_of_none_or_of_too_many_is_refused(world):
    none = world.node.post_json("/v1/entries/batch", {"entries": []})
    assert none.problem(400, "malformed")["limit"] == MAX_BATCH
    assert world.node.post_json("/v1/entries/batch", {"entries": [""] * (MAX_BATCH + 1)}).status == 413
    assert world.node.post("/v1/entries/batch", b"\x90").problem(400, "malformed")["limit"] == MAX_BATCH
    many = canonical.encode([b""] * (MAX_BATCH + 1))
    problem = world.node.post("/v1/entries/batch", many).problem(413, "too-large")
    assert (problem["field"], problem["limit"]) == ("entries", MAX_BATCH)


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x80", b"\x91\x01", b"\x91\xa1x", b"\xdc\x00\x01\xc4\x00"])
def test_a_batch_that_is_no_canonical_list_of_bytes_is_malformed(world, body):
    assert world.node.post("/v1/entries/batch", body).problem(400, "malformed")["field"].startswith("entries")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"entry": 1}',
        b'{"entry": "?"}',
        b'{"entry": "AA==", "more": 1}',
        b"[" * 9999,
    ],
)
def test_json_of_another_shape_is_malformed(world, text):
    world.node.post("/v1/entries", text, "application/json").problem(400, "malformed")
    world.node.post("/v1/entries/batch", text, "application/json").problem(400, "malformed")


def test_a_json_batch_names_the_entry_that_is_no_base64(world, sign):
    for bad in ("?", 7, None, "ä"):
        answer = world.node.post_json("/v1/entries/batch", {"entries": [b64(sign()), bad]})
        assert answer.problem(400, "malformed")["field"] == "entries[1]"


@pytest.mark.parametrize("content_type", ["text/plain", "application/cbor", "application/x-www-form-urlencoded"])
def test_another_content_type_is_refused(world, sign, content_type):
    for path in ("/v1/entries", "/v1/entries/batch"):
        problem = world.node.post(path, sign(), content_type).problem(415, "unsupported-media-type")
        assert problem["field"] == "Content-Type"


def test_a_body_without_a_type_is_refused(world, sign):
    """A form of any web page can send one."""
    world.node.call("POST", "/v1/entries", sign(), {}).problem(415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("wait=never", "wait"),
        ("wait=", "wait"),
        ("timeout_ms=-1", "timeout_ms"),
        ("timeout_ms=60001", "timeout_ms"),
        ("timeout_ms=1e3", "timeout_ms"),
        ("timeout_ms=1_000", "timeout_ms"),
        ("timeout_ms=%201", "timeout_ms"),
        ("timeout_ms=" + "9" * 5000, "timeout_ms"),
    ],
)
def test_a_bad_query_is_malformed(world, sign, query, field):
    for path in ("/v1/entries", "/v1/entries/batch"):
        problem = world.node.post(f"{path}?{query}", sign()).problem(400, "malformed")
        assert problem["field"] == field


def test_a_compressed_body_is_refused_whether_it_unpacks_or_not(world):
    for encoding in ("gzip", "deflate"):
        answer = world.node.post("/v1/entries", b"this is not compressed", **{"Content-Encoding": encoding})
        assert answer.problem(415, "unsupported-media-type")["field"] == "Content-Encoding"


def test_an_observer_takes_nothing_and_says_who_does(world, sign):
    for path, body in (("/v1/entries", sign()), ("/v1/entries/batch", canonical.encode([sign()]))):
        problem = world.observer.post(path, body).problem(403, "read-only")
        assert problem["validators"] == [f"http://127.0.0.1:{world.node.port}"]


def test_a_refusal_is_one_json_object_that_names_no_internals(world):
    text = world.node.submit(b"\xc1").body.decode()
    assert json.loads(text)
    assert "Traceback" not in text
