"""GET: entries, receipts, search, blocks, proofs, members, status, genesis, health, metrics."""

import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.node.http_api import MSGPACK, b64, entry_id

import notarium_node
from notarium_consensus.events import Event
from notarium_ledger.blocks.block import Decision
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import sign_entry
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.log.proofs import verify_consistency, verify_inclusion
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.receipt import Receipt
from notarium_node.api.costly import CostlyReads
from notarium_node.api.problems import ApiProblem
from notarium_node.api.queries import Queries
from notarium_node.health.events import ENGINE_EVENTS, EVENTS, NodeEvent
from notarium_node.http.server import HardenedConnection
from notarium_node.peers.door import DoorRefusal
from notarium_node.peers.link import HelloFault, LinkEvent
from notarium_node.peers.network import DropReason


@pytest.fixture(scope="module")
def written(world):
    """Ten entries in ten blocks, three of which name one artifact."""
    artifact = os.urandom(32)
    raws = []
    for number in range(10):
        named = {"subjects": [{"digest": artifact, "role": "input"}]} if number % 4 == 1 else {}
        body = world.body(project=f"study {number}", **named)
        raw = sign_entry(world.researcher, world.genesis.hash, body)
        assert world.node.submit(raw).status == 200
        raws.append(raw)
    world.network.wait_until(
        lambda: (
            world.observer.get("/v1/status").json["lag"] == 0
            and world.observer.get("/v1/status").json["height"] == world.node.get("/v1/status").json["height"]
        ),
        "the observer to follow",
    )
    return artifact, raws


@pytest.fixture(params=["validator", "observer"])
def api(request, world, written):
    """Both kinds of nodes answer questions."""
    return world.node if request.param == "validator" else world.observer


def test_an_entry_by_its_id(api, world, written):
    _, raws = written
    shown = api.get(f"/v1/entries/{entry_id(raws[3])}").json
    receipt = Receipt.decode_json(api.get(f"/v1/receipts/{entry_id(raws[3])}").body)
    assert shown["entry"] == b64(raws[3])
    assert shown["status"] == "decided"
    assert shown["author"] == world.researcher.public.hex()
    assert (shown["index"], shown["height"]) == (receipt.index, receipt.decided.header.height)
    assert shown["body"]["project"] == "study 3"
    assert len(bytes.fromhex(shown["body"]["record"])) == 32


def test_an_entry_as_its_bytes(world, written):
    _, raws = written
    answer = world.node.get(f"/v1/entries/{entry_id(raws[3])}", Accept=MSGPACK)
    assert (answer.media_type, answer.body) == (MSGPACK, raws[3])


@pytest.mark.parametrize("path", ["/v1/entries/", "/v1/receipts/"])
def test_an_unknown_entry_is_not_found_and_a_bad_id_malformed(api, path):
    assert api.get(path + "ab" * 32).problem(404, "not-found")["field"] == "id"
    for bad in ("00", "zz" * 32, "ab" * 33, "ab" * 31 + "%20%20", "A" * 5000):
        assert api.get(path + bad).problem(400, "malformed")["field"] == "id"


def test_a_bad_wait_is_malformed(api):
    problem = api.get(f"/v1/receipts/{'ab' * 32}?wait_ms=60001").problem(400, "malformed")
    assert (problem["field"], problem["limit"]) == ("wait_ms", 60_000)


def test_search_finds_what_names_a_digest_page_by_page(api, written):
    artifact, raws = written
    expected = [entry_id(raws[number]) for number in (1, 5, 9)]
    whole = api.get(f"/v1/search?digest={artifact.hex()}").json
    assert [row["id"] for row in whole["entries"]] == expected
    assert whole["next"] is None
    assert whole["entries"][0]["project"] == "study 1"
    found, after = [], ""
    for _ in expected:
        page = api.get(f"/v1/search?digest={artifact.hex()}&limit=1{after}").json
        found += [row["id"] for row in page["entries"]]
        after = f"&after={page['next']}"
    assert found == expected
    assert page["next"] is None
    assert api.get(f"/v1/search?digest={'00' * 32}").json["entries"] == []


def test_blocks_form_a_chain_and_each_is_shown_in_full(api, world, written):
    height = api.get("/v1/status").json["height"]
    listed = api.get("/v1/blocks?limit=200").json
    assert listed["height"] == height
    assert [row["height"] for row in listed["blocks"]] == list(range(1, height + 1))
    parent, size = world.genesis.hash.hex(), 0
    for row in listed["blocks"]:
        size += row["entries"]
        assert (row["parent"], row["tree_size"]) == (parent, size)
        parent = row["hash"]
    page = api.get(f"/v1/blocks?from={height - 1}&limit=1").json["blocks"]
    assert page == [listed["blocks"][height - 2]]
    assert api.get(f"/v1/blocks?from={height + 1}").json["blocks"] == []

    block = api.get(f"/v1/blocks/{height}").json
    assert {key: block[key] for key in listed["blocks"][-1]} == listed["blocks"][-1]
    assert block["signers"] == [world.network.nodes[0].key]
    packed = api.get(f"/v1/blocks/{height}", Accept=MSGPACK)
    decision = Decision.from_value(canonical.decode(packed.body))
    assert decision.block.hash.hex() == block["hash"]
    assert [leaf_hash(raw).hex() for raw in decision.block.entries] == block["entry_ids"]


@pytest.mark.parametrize(
    ("path", "status"),
    [("0", 404), ("999999", 404), ("-1", 400), ("x", 400), ("1e3", 400), ("9" * 30, 400), ("²", 400)],
)
def test_no_such_block(api, path, status):
    answer = api.get(f"/v1/blocks/{path}" if path.isascii() else "/v1/blocks/%C2%B2")
    assert answer.problem(status, "not-found" if status == 404 else "malformed")["field"] == "height"


def test_inclusion_proofs_hold_at_the_present_and_at_earlier_sizes(api, written):
    _, raws = written
    head = api.get("/v1/log").json
    first = api.get(f"/v1/entries/{entry_id(raws[0])}").json["index"]
    for number in (0, 4, 9):
        by_id = api.get(f"/v1/proofs/inclusion?id={entry_id(raws[number])}").json
        by_index = api.get(f"/v1/proofs/inclusion?index={by_id['index']}&size={head['size']}").json
        assert by_id == by_index
        assert (by_id["root"], by_id["leaf"]) == (head["root"], entry_id(raws[number]))
        _check_inclusion(by_id)
    earlier = api.get(f"/v1/proofs/inclusion?index={first}&size={first + 1}").json
    assert earlier["root"] == api.get(f"/v1/log?size={first + 1}").json["root"]
    _check_inclusion(earlier)


def _check_inclusion(proof):
    path = [bytes.fromhex(each) for each in proof["path"]]
    leaf, root = bytes.fromhex(proof["leaf"]), bytes.fromhex(proof["root"])
    verify_inclusion(leaf, proof["index"], proof["size"], path, root)


def test_consistency_proofs_hold_between_any_sizes(api):
    size = api.get("/v1/log").json["size"]
    for first, second in ((1, size), (size - 3, size), (size // 2, size - 1), (size, size), (0, size), (0, 0)):
        proof = api.get(f"/v1/proofs/consistency?from={first}&to={second}").json
        assert (proof["from"], proof["to"]) == (first, second)
        path = [bytes.fromhex(each) for each in proof["path"]]
        verify_consistency(first, bytes.fromhex(proof["root_from"]), second, bytes.fromhex(proof["root_to"]), path)
    assert api.get("/v1/proofs/consistency").json["to"] == size


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/search", "digest"),
        ("/v1/search?digest=abc", "digest"),
        (f"/v1/search?digest={'00' * 32}&limit=0", "limit"),
        (f"/v1/search?digest={'00' * 32}&limit=1001", "limit"),
        (f"/v1/search?digest={'00' * 32}&after=-2", "after"),
        ("/v1/blocks?from=0", "from"),
        ("/v1/blocks?from=x", "from"),
        ("/v1/blocks?limit=1001", "limit"),
        ("/v1/log?size=-1", "size"),
        ("/v1/log?size=99999999", "size"),
        ("/v1/proofs/inclusion", "index"),
        ("/v1/proofs/inclusion?id=x", "id"),
        ("/v1/proofs/inclusion?index=-1", "index"),
        ("/v1/proofs/inclusion?index=0&size=0", "size"),
        ("/v1/proofs/inclusion?index=0&size=99999999", "size"),
        ("/v1/proofs/consistency?from=5&to=4", "from"),
        ("/v1/proofs/consistency?to=99999999", "to"),
        ("/v1/events?after=-1", "after"),
        ("/v1/events?after=x", "after"),
    ],
)
def test_a_bad_query_is_malformed_and_its_field_named(api, path, field):
    assert api.get(path).problem(400, "malformed")["field"] == field


def test_a_proof_of_what_is_not_in_the_log_is_not_found(api):
    size = api.get("/v1/log").json["size"]
    assert api.get(f"/v1/proofs/inclusion?index={size}").problem(404, "not-found")["field"] == "index"
    assert api.get("/v1/proofs/inclusion?index=4&size=4").problem(404, "not-found")["field"] == "index"
    assert api.get(f"/v1/proofs/inclusion?id={'00' * 32}").problem(404, "not-found")["field"] == "id"


def test_genesis_hashes_to_what_the_node_serves(api, world):
    genesis = Genesis.decode_json(api.get("/v1/genesis").body)
    assert genesis.hash == world.genesis.hash
    assert api.get("/v1/status").json["genesis"] == genesis.hash.hex()


def test_members_nodes_and_validators_are_those_of_genesis(api, world):
    shown = api.get("/v1/members").json
    assert [(each["id"], each["key"]) for each in shown["members"]] == [("m0", world.admin.public.hex())]
    assert {(each["key"], each["role"]) for each in shown["nodes"]} == {
        (node.key, node.role) for node in world.network.nodes
    }
    assert [each["key"] for each in shown["validators"]] == [world.network.nodes[0].key]
    assert shown["quorum"] == 1
    assert shown["parameters"] == world.genesis.registry.parameters.to_value()


def test_status_tells_where_each_node_is(world, written):
    one, two = world.node.get("/v1/status").json, world.observer.get("/v1/status").json
    assert (one["role"], two["role"]) == ("validator", "observer")
    for field in ("height", "tip", "time", "tree_size", "tree_root", "ledger", "genesis"):
        assert one[field] == two[field]
    assert one["ready"]
    assert two["ready"]
    assert one["reasons"] == two["reasons"] == []
    assert [(peer["key"], peer["connected"]) for peer in one["peers"]] == [(world.network.nodes[1].key, True)]
    assert one["mempool"] == {"entries": 0, "bytes": 0}


def test_health_and_readiness(api):
    assert api.get("/healthz").json == {"status": "ok"}
    assert api.get("/readyz").json == {"ready": True, "reasons": []}


def test_metrics_can_be_scraped_and_agree_with_the_status(world, written):
    status = world.node.get("/v1/status").json
    text = world.node.get("/metrics").body.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    values = {sample.name: sample.value for family in families.values() for sample in family.samples}
    assert values["notarium_height"] == status["height"]
    assert values["notarium_log_size"] == status["tree_size"]
    assert values["notarium_blocks_decided_total"] == status["height"]
    assert values["notarium_ready"] == 1
    assert values["notarium_mempool_entries"] == 0
    assert values["process_resident_memory_bytes"] > 0
    assert [sample.labels["member"] for sample in families["notarium_peer_connected"].samples] == ["m0"]
    for name, family in families.items():
        assert family.documentation or name.startswith("process_")


def test_what_never_happened_is_counted_as_0_from_the_start(world):
    """Else a rate over the counter misses the first event, which makes the series."""
    text = world.node.get("/metrics").body.decode()
    for name, label, known in (
        ("notarium_consensus_events", "event", EVENTS),
        ("notarium_peer_events", "event", get_args(LinkEvent)),
        ("notarium_peers_dropped", "reason", get_args(DropReason)),
        ("notarium_peers_refused", "reason", (*get_args(DoorRefusal), *get_args(HelloFault))),
    ):
        [samples] = [family.samples for family in text_string_to_metric_families(text) if family.name == name]
        assert sorted(known) == [sample.labels[label] for sample in samples], name
        if name == "notarium_peers_dropped":
            assert {sample.value for sample in samples} == {0}


def test_every_event_that_a_node_counts_is_known_before():
    """Reasons and events of links are types; these are an enumeration and the engine's reports."""
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(notarium_node.__file__).parent.rglob("*.py"))
    counted = re.findall(r"_counts\[([^]]+)\] \+= 1", sources)
    assert len(counted) == len(NodeEvent) + 1
    assert {f"NodeEvent.{each.name}" for each in NodeEvent} | {"type(event).__name__"} == set(counted)
    assert set(ENGINE_EVENTS) == {each.__name__ for each in get_args(Event)}
    assert set(EVENTS) == {*ENGINE_EVENTS, *NodeEvent}


def test_what_there_is_not_is_not_found(api):
    for path in ("/", "/v1", "/v1/nothing", "/v1/../etc/passwd", "/v1/blocks/1/2"):
        api.get(path).problem(404, "not-found")
    api.call("DELETE", "/v1/status", None, {}).problem(405, "method-not-allowed")
    api.call("PUT", "/v1/entries", b"x", {}).problem(405, "method-not-allowed")


async def test_whoever_waited_for_an_entry_takes_a_turn_before_its_receipt_is_made():
    """400 may wait for the same one, and its block wakes all of them."""
    steps: list[str] = []

    async def wait_for(ids: list[bytes], wait_s: float) -> list[bytes]:
        steps.append("decided")
        return ids

    async def begin(request: Any) -> None:
        steps.append("turn")

    connection = object.__new__(HardenedConnection)
    connection.begin = begin
    store = SimpleNamespace(receipt=lambda id_: steps.append("receipt"))
    node: Any = SimpleNamespace(store=store, mempool={bytes(32)}, waiters=SimpleNamespace(wait_for=wait_for))
    request: Any = SimpleNamespace(protocol=connection, match_info={"id": "00" * 32}, query={"wait_ms": "10"})
    with pytest.raises(ApiProblem):
        await Queries(node, CostlyReads(lambda asked: "")).receipt(request)
    assert steps == ["decided", "turn", "receipt"]
