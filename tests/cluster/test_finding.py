"""What one institution says behind very much that strangers say of the same digest or entry: found, on real nodes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from notarium.evidence.hashing import hash_path
from notarium.ledger_access.blocking import BlockingClient
from notarium.verdicts import VerdictStatus, judge
from notarium.verifying.asking import Asking
from notarium.verifying.marks import MarkKind
from notarium.verifying.verification import Verifying
from notarium_ledger.signing import SigningKey
from notarium_node.demo.local_network import Institution, LocalNetwork

pytestmark = pytest.mark.cluster

STRANGERS = 1_500


@pytest.fixture
def network(tmp_path: Path) -> Iterator[tuple[LocalNetwork, SigningKey, SigningKey]]:
    """Two institutions with a validator each, and the keys of their researchers."""
    stranger, honest = SigningKey(os.urandom(32)), SigningKey(os.urandom(32))
    made = LocalNetwork.create(
        tmp_path / "network",
        [Institution("crowd", "Crowd"), Institution("honest", "Honest")],
        researchers=[("crowd", stranger.public), ("honest", honest.public)],
    )
    try:
        made.start()
        made.wait_ready()
        yield made, stranger, honest
    finally:
        made.stop()


def test_the_honest_entry_behind_1500_strangers(
    network: tuple[LocalNetwork, SigningKey, SigningKey],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, stranger, honest = network
    file = tmp_path / "work" / "model.bin"
    file.parent.mkdir()
    file.write_bytes(b"weights")
    digest = bytes.fromhex(hash_path(file).sha256)
    subject = {"digest": digest, "role": "subject", "name": "model.bin"}

    def body(issuer: str) -> dict[str, object]:
        named = {"issuer": issuer, "project": "study", "disclosure": "public"}
        return {"v": 1, "kind": "model", **named, "record": os.urandom(32), "subjects": [subject]}

    api = made.validators[0].api
    with BlockingClient(made.genesis, [api], stranger) as client:
        client.submit_batch([body("crowd") for _ in range(STRANGERS)])
    with BlockingClient(made.genesis, [api], honest) as client:
        anchored = client.submit(body("honest"))
        assert client.find(digest, limit=100).more
        assert [each.id for each in client.find(digest, issuer="honest").receipts] == [anchored.id]
        assert [each.id for each in client.find(digest, after=STRANGERS - 1).receipts] == [anchored.id]
        assert client.lies == ()

    for name in ("HOME", "NOTARIUM_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("NOTARIUM_GENESIS", str(made.genesis_file))
    monkeypatch.setenv("NOTARIUM_NODES", api)
    monkeypatch.chdir(file.parent)
    [found] = judge(file, Verifying(made.genesis, issuer="honest"), offline=False, timeout=30)
    assert found.status is VerdictStatus.VERIFIED
    assert found.result.about["index"] == anchored.index
    [found] = judge(file, Verifying(made.genesis), offline=False, timeout=30)
    assert found.status is VerdictStatus.INCOMPLETE_EVIDENCE
    assert "anchored first by crowd" in found.result.findings[0].detail


def test_the_authors_retraction_behind_300_of_strangers(network: tuple[LocalNetwork, SigningKey, SigningKey]) -> None:
    made, stranger, honest = network
    api = made.validators[0].api

    def body(kind: str, issuer: str, refs: list[dict[str, object]], **fields: object) -> dict[str, object]:
        said = {"v": 1, "kind": kind, "issuer": issuer, "project": "study", "disclosure": "sealed", **fields}
        return {**said, "refs": refs} if refs else said

    with BlockingClient(made.genesis, [api], honest) as author, BlockingClient(made.genesis, [api], stranger) as crowd:
        start = author.submit(body("run-start", "honest", [], record=os.urandom(32)))
        plan = author.submit(body("preregistration", "honest", [], record=os.urandom(32)))
        refs: list[dict[str, object]] = [
            {"rel": "ends", "entry": bytes(start.id)},
            {"rel": "preRegisteredBy", "entry": bytes(plan.id)},
            {"rel": "informedBy", "entry": os.urandom(32)},
        ]
        run = author.submit(body("run", "honest", refs, status="failed", record=os.urandom(32)))
        about: list[dict[str, object]] = [{"rel": "supersedes", "entry": bytes(run.id)}]
        crowd.submit_batch([body("retraction", "crowd", about, reason=f"{number}") for number in range(300)])
        author.submit(body("retraction", "honest", about, reason="wrong labels"))
        result = Verifying(made.genesis).verify_given(run)
        [asked] = Asking(author, (api,)).ask([result])
        assert author.lies == ()
    assert [each.kind for each in asked.marks] == [
        MarkKind.FAILED,
        MarkKind.DISPUTED,
        MarkKind.RETRACTED,
        MarkKind.LATE,
        MarkKind.UNKNOWN,
    ]
    assert "as the order of the log proves" in asked.marks[3].text
    assert any("there are more than were fetched" in each for each in asked.parts.not_shown)
