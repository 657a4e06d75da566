"""Entries that cannot be decided yet: taken with 202, kept, shown as pending, decided when there is a quorum."""

import json
import os
import threading

import pytest
from tests.node.http_api import MSGPACK, Api, b64, entry_id

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import sign_entry
from notarium_ledger.signing import SigningKey
from notarium_ledger.trust.receipt import ReceiptVerifier
from notarium_ledger.trust.receipt_batch import decode_receipts
from notarium_node.demo.local_network import Institution, LocalNetwork


@pytest.fixture(scope="module")
def researcher():
    return SigningKey(os.urandom(32))


@pytest.fixture
def half(tmp_path_factory, researcher, request):
    """Two validators, of which one runs: no quorum. A test may set parameters of the ledger."""
    network = LocalNetwork.create(
        tmp_path_factory.mktemp("half") / "network",
        [Institution("m0", "Member 0"), Institution("m1", "Member 1")],
        researchers=[("m0", researcher.public)],
        extra_config="[mempool]\nmax_entries = 100\n",
        parameters=getattr(request, "param", {}),
    )
    try:
        network.nodes[0].start()
        network.wait_until(lambda: network.nodes[0].get("/healthz"), "the node to answer", network.nodes[0])
        yield network
    finally:
        network.stop()


@pytest.fixture
def sign(half, researcher):
    """Signs another entry each time."""

    def sign():
        body = {"v": 1, "kind": "dataset", "issuer": "m0", "project": "p", "disclosure": "public"}
        return sign_entry(researcher, half.genesis.hash, {**body, "record": os.urandom(32)})

    return sign


def test_without_quorum_entries_wait_and_are_decided_when_the_other_comes(half, sign):
    api, verifier = Api(half.nodes[0].api_port), ReceiptVerifier(half.genesis)
    assert api.get("/readyz").status == 503
    half.wait_until(
        lambda: any("no quorum: 1 of 2" in reason for reason in api.get("/readyz").json["reasons"]),
        "it to say that there is no quorum",
        half.nodes[0],
    )
    assert api.get("/healthz").status == 200

    # A client that does not wait, or waits too short a time, gets "pending".
    first, second, third = sign(), sign(), sign()
    answer = api.submit(first, "?wait=none")
    assert answer.status == 202
    assert answer.json == {"id": entry_id(first), "status": "pending"}
    assert answer.headers["location"] == f"/v1/receipts/{entry_id(first)}"
    assert api.submit(second, "?timeout_ms=100").status == 202
    assert api.submit(first, "?timeout_ms=0").status == 202
    rows = api.post_json("/v1/entries/batch?wait=none", {"entries": [b64(third)]})
    assert rows.status == 202
    assert rows.json == {"results": [{"id": entry_id(third), "status": "pending"}]}
    packed = api.post("/v1/entries/batch?timeout_ms=50", canonical.encode([third]), Accept=MSGPACK)
    assert packed.status == 202
    assert decode_receipts(packed.body, [third]) == [None]

    # They are shown as pending.
    shown = api.get(f"/v1/entries/{entry_id(first)}").json
    assert (shown["status"], "index" in shown) == ("pending", False)
    assert api.get(f"/v1/receipts/{entry_id(first)}").status == 202
    assert api.get(f"/v1/receipts/{entry_id(first)}?wait_ms=50").status == 202
    status = api.get("/v1/status").json
    assert (status["height"], status["mempool"]["entries"], status["ready"]) == (0, 3, False)

    # A key's full share of the mempool is reported, and entries that wait already are still known.
    rest = [sign() for _ in range(20)]  # 23 are a third of what keys and governance leave.
    assert api.post_json("/v1/entries/batch?wait=none", {"entries": [b64(raw) for raw in rest]}).status == 202
    full = api.submit(sign(), "?wait=none")
    assert full.problem(503, "busy")["remedy"]
    assert int(full.headers["retry-after"]) > 0
    assert api.submit(first, "?wait=none").status == 202

    # Empty log, empty chain.
    assert api.get("/v1/log").json["size"] == 0
    assert api.get("/v1/blocks").json == {"blocks": [], "height": 0}
    assert api.get("/v1/proofs/consistency").json["path"] == []
    assert api.get("/v1/proofs/inclusion?index=0").status == 404

    # A reader who waits is answered by the decision.
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(api.get(f"/v1/receipts/{entry_id(first)}?wait_ms=20000")))
    waiting.start()
    half.nodes[1].start()
    waiting.join(25)
    assert answers
    assert answers[0].status == 200
    assert verifier.verify_json(answers[0].body).entry.raw == first
    for raw in (second, third, *rest):
        assert verifier.verify_json(api.get(f"/v1/receipts/{entry_id(raw)}?wait_ms=10000").body).entry.raw == raw
    assert api.get("/v1/log").json["size"] == 23
    half.wait_ready()
    assert json.loads(api.get("/readyz").body) == {"ready": True, "reasons": []}


@pytest.mark.parametrize("half", [{"max_member_day_entries": 1}], indirect=True)
def test_a_pending_entry_is_dropped_when_the_day_of_its_member_is_used_up(half, sign):
    """As docs/formats.md says of what is not decided yet: a 202 acknowledges nothing."""
    api, entries = Api(half.nodes[0].api_port), [sign(), sign()]
    batch = api.post_json("/v1/entries/batch?wait=none", {"entries": [b64(entries[0])]})
    assert (batch.status, api.submit(entries[1], "?wait=none").status) == (202, 202)

    answers = {}

    def wait(raw):
        answers[raw] = api.get(f"/v1/receipts/{entry_id(raw)}?wait_ms=20000")

    waiting = [threading.Thread(target=wait, args=[raw]) for raw in entries]
    for each in waiting:
        each.start()
    half.nodes[1].start()
    for each in waiting:
        each.join(25)

    decided, dropped = sorted(entries, key=lambda raw: answers[raw].status)
    assert answers[decided].status == 200
    assert "max_member_day_entries" in answers[dropped].problem(429, "quota")["detail"]
    assert int(answers[dropped].headers["retry-after"]) > 0
    api.get(f"/v1/receipts/{entry_id(dropped)}").problem(404, "not-found")
    api.submit(dropped, "?wait=none").problem(429, "quota")
