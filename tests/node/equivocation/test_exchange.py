"""A validator lies to one node of a network of real processes: all of them come to know, and anyone can check it."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from functools import partial

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.node.http_api import Api

from notarium.cli import app as client_cli
from notarium.key_files import Purpose, load_key, load_seed
from notarium_consensus.messages import encode_message
from notarium_ledger.blocks.statements import StatementKind, Vote, VoteStatement
from notarium_ledger.trust.equivocation import conflict
from notarium_ledger.trust.equivocation_file import EquivocationFile
from notarium_ledger.types import Hash, Height, PublicKey, Round
from notarium_node.demo.local_network import Institution, LocalNetwork
from notarium_node.equivocation.collection import ALARM
from notarium_node.operator.cli import app as cli
from notarium_node.peers import wire
from notarium_node.peers.network import PeerNetwork
from notarium_node.peers.wire import Kind


class Liar:
    """The fourth validator's identity in the hands of this test."""

    def __init__(self, network, node):
        self.genesis = network.genesis
        self.key = load_key(node.directory / "keys" / "validator.key", Purpose.VALIDATOR)
        self.seed = load_seed(node.directory / "keys" / "transport.key", Purpose.TRANSPORT)
        self.record = self.genesis.registry.nodes[self.key.public]

    def prepare(self, block: bytes) -> bytes:
        """A valid PREPARE of height 1, round 0."""
        validators = self.genesis.registry.validators.hash
        statement = VoteStatement(StatementKind.PREPARE, Height(1), Round(0), Hash(block))
        signature = self.key.sign(statement.signed_bytes(self.genesis.hash, validators))
        vote = Vote(statement, self.key.public, signature)
        return bytes((Kind.CONSENSUS,)) + encode_message(vote)

    async def lie_to(self, victim) -> None:
        """Sign two things, and let only `victim` see both."""
        words = [self.prepare(block) for block in (b"\x01" * 32, b"\x02" * 32)]
        await self.say(victim, words, lambda: Api(victim.api_port).get("/v1/status").json["equivocations"])

    async def say(self, victim, messages, done) -> None:
        """Send `messages` to `victim`, and stay connected until `done()`."""
        met = asyncio.Event()
        target = PublicKey(bytes.fromhex(victim.key))
        peers = PeerNetwork(
            self.record,
            self.genesis.hash,
            self.seed,
            ("127.0.0.1", int(self.record.address.rpartition(":")[2])),
            self.genesis.registry.nodes,
            on_message=lambda peer, data: None,
            on_connect=lambda peer: met.set() if peer == target else None,
            on_disconnect=lambda peer: None,
        )
        await peers.start()
        try:
            async with asyncio.timeout(60):
                await met.wait()
                for each in messages:
                    assert peers.send(target, each)
                while not done():  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.05)
        finally:
            await peers.stop()


@pytest.fixture(scope="module")
def exposed(tmp_path_factory):
    """A network of three validators and an observer after the fourth has lied to the first; the liar is offline."""
    network = LocalNetwork.create(
        tmp_path_factory.mktemp("liar") / "network",
        [Institution(f"m{number}", f"Member {number}") for number in range(4)],
        observers=["m0"],
    )
    *honest, liar = network.validators
    running = [*honest, *network.observers]
    try:
        for node in running:
            node.start()
        network.wait_ready(running)
        asyncio.run(Liar(network, liar).lie_to(honest[0]))
        for node in running:
            network.wait_until(partial(knows, node), f"{node.name} to have the equivocation", node)
        yield network, running
    finally:
        for node in running:
            node.kill()


def knows(node):
    return node.status()["equivocations"] == 1


def equivocations(node):
    return Api(node.api_port).get("/v1/equivocations").json["equivocations"]


def test_every_node_serves_the_same_equivocation_and_so_do_observers(exposed):
    network, running = exposed
    (row,) = equivocations(running[0])
    assert (row["member"], row["kind"], row["height"], row["round"]) == ("m3", "prepare", 1, 0)
    assert {row["first"]["block"], row["second"]["block"]} == {"01" * 32, "02" * 32}
    for node in running:
        api = Api(node.api_port)
        assert equivocations(node) == [row]
        answer = api.get(f"/v1/equivocations/{row['id']}")
        assert answer.media_type == "application/vnd.notarium.equivocation.v1+json"
        file = EquivocationFile.decode_json(answer.body)
        file.verify(network.genesis)
        assert answer.json["about"] == {name: value for name, value in row.items() if name != "number"}


def test_pages_unknown_ids_and_bad_queries(exposed):
    api = Api(exposed[1][0].api_port)
    assert api.get("/v1/equivocations?limit=1").json["next"] is None
    assert api.get("/v1/equivocations?after=1").json == {"equivocations": [], "next": None}
    for query, field in (("limit=0", "limit"), ("limit=1001", "limit"), ("after=-1", "after"), ("after=x", "after")):
        assert api.get(f"/v1/equivocations?{query}").problem(400, "malformed")["field"] == field
    assert api.get(f"/v1/equivocations/{'ab' * 32}").problem(404, "not-found")["field"] == "id"
    assert api.get("/v1/equivocations/xyz").problem(400, "malformed")["field"] == "id"


def test_metric_and_log_line_name_the_member(exposed):
    for node in exposed[1]:
        text = Api(node.api_port).get("/metrics").body.decode()
        families = {family.name: family for family in text_string_to_metric_families(text)}
        found = {sample.labels["member"]: sample.value for sample in families["notarium_equivocations"].samples}
        assert found == {"m0": 0, "m1": 0, "m2": 0, "m3": 1}
        lines = [json.loads(line) for line in node.log.read_text().splitlines() if ALARM in line]
        assert [(line["level"], line["member"], line["height"]) for line in lines] == [("error", "m3", 1)]


@pytest.fixture
def run(capsys):
    """Run a command of either CLI in this process: (exit code, stdout, stderr)."""

    def call(main, *arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            main([str(each) for each in arguments])
        captured = capsys.readouterr()
        return caught.value.code or 0, captured.out, captured.err

    return call


def test_operators_list_show_and_export_and_a_regulator_needs_the_file_and_the_genesis(exposed, run, tmp_path):
    network, (node, *_) = exposed
    config = ("--config", node.directory / "node.toml")
    code, out, _ = run(cli.main, "equivocations", *config, "--json")
    (row,) = json.loads(out)["equivocations"]
    assert (code, row) == (0, equivocations(node)[0])
    code, out, _ = run(cli.main, "equivocations", *config)
    assert (code, "m3" in out, "prepare" in out) == (0, True, True)

    code, out, _ = run(cli.main, "equivocations", row["id"][:8].upper(), *config, "--json")
    assert (code, json.loads(out)) == (0, {name: value for name, value in row.items() if name != "number"})
    code, out, _ = run(cli.main, "equivocations", row["id"], *config)
    assert (code, row["key"] in out, "block " + "01" * 32 in out) == (0, True, True)

    file = tmp_path / "m3.equivocation.json"
    by_url = ("--url", node.api, "--genesis", network.genesis_file)
    assert run(cli.main, "equivocations", row["id"], *by_url, "--out", file)[0] == 0
    assert file.read_bytes() == Api(node.api_port).get(f"/v1/equivocations/{row['id']}").body

    for main, *arguments in (
        (cli.main, "equivocations", "--verify", file, "--genesis", network.genesis_file, "--json"),
        (client_cli.main, "equivocation", file, "--genesis", network.genesis_file, "--json"),
    ):
        code, out, _ = run(main, *arguments)
        assert (code, '"m3"' in out) == (0, True)


def test_refusals_of_the_command_say_what_to_do(exposed, run, tmp_path):
    network, (node, *_) = exposed
    config = ("--config", node.directory / "node.toml")
    id_ = equivocations(node)[0]["id"]
    for arguments, code, words in (
        ((), 2, "--config or --url"),
        (("--url", node.api, *config), 2, "--config or --url"),
        ((id_, "--url", node.api), 2, "--config or --genesis"),
        (("ab" * 32, *config), 1, "0 equivocations"),
        (("--verify", tmp_path / "none", *config), 2, "No such file"),
        (("--verify", network.genesis_file, *config), 1, "step 1: mediaType"),
        (("--url", "http://127.0.0.1:1"), 5, "is the node running?"),
    ):
        got, out, err = run(cli.main, "equivocations", *arguments)
        assert (got, words in err, out) == (code, True, ""), err


def test_who_sends_false_equivocation_is_dropped_and_the_node_lives_on(exposed):
    network, (node, *_) = exposed
    honest, liar = network.validators[1], network.validators[3]
    api = Api(node.api_port)
    file = EquivocationFile.decode_json(api.get(f"/v1/equivocations/{equivocations(node)[0]['id']}").body)
    first, second = (
        replace(each, key=PublicKey(bytes.fromhex(honest.key)))
        for each in (file.equivocation.first, file.equivocation.second)
    )
    forged = conflict(file.equivocation.genesis, file.equivocation.validators, first, second)

    def is_dropped():
        text = api.get("/metrics").body.decode()
        return 'notarium_peers_dropped_total{reason="invalid equivocation"} 1.0' in text

    message = wire.pack_list(Kind.EQUIVOCATIONS, [forged.encode()])
    asyncio.run(Liar(network, liar).say(node, [message], is_dropped))
    assert len(equivocations(node)) == 1
    assert api.get("/readyz").json["ready"]


def test_a_restarted_node_still_has_it_and_a_wiped_one_gets_it_again(exposed):
    network, running = exposed
    before = equivocations(running[0])
    kept, wiped = running[1], running[2]
    kept.stop()
    kept.start()
    wiped.stop()
    (wiped.directory / "store").rename(wiped.directory / f"store.{os.getpid()}")
    wiped.start()
    # Neither is ready: the wiped node asks whether its key has signed, and since the liar does not answer, two of four
    # cannot vote.
    network.wait_until(lambda: kept.get("/healthz"), "the restarted node to serve", kept)
    assert equivocations(kept) == before
    network.wait_until(lambda: wiped.get("/healthz"), "the wiped node to serve", wiped)
    network.wait_until(lambda: equivocations(wiped) == before, "the wiped node to have the equivocation")
