"""Entries that wait and refer to one another: none is anchored with a reference to nothing, and none is lost."""

import asyncio
import json
import time

import pytest
from tests.client.fake_node import problem

import notarium
from notarium.anchoring import commit, delivery
from notarium.anchoring.anchor import anchor
from notarium.anchoring.commit import Ref
from notarium.anchoring.delivery import deliver
from notarium.anchoring.outbox import Outbox, outbox_of
from notarium.errors import NotAnchored, ProjectError
from notarium.key_files import create_key


@pytest.fixture
def keys(home):
    """Exchange the researcher's key: `keys(good)`."""
    path = home / "keys" / "test.key"
    right = path.read_bytes()

    def exchange(good):
        path.unlink()
        if good:
            path.write_bytes(right)
            path.chmod(0o600)
        else:
            create_key(path)

    exchange(False)
    return exchange


@pytest.fixture
def waits(project, cli, keys):
    """A plan, data that refer to it and a model that refers to both; all signed with a key that is not enrolled."""
    for name in ("plan", "data", "model"):
        (project.root / name).write_text(name)
    assert cli("prereg", "plan")[0] == 3
    assert cli("anchor", "data", "--ref", "preRegisteredBy=plan")[0] == 3
    assert (
        cli("anchor", "model", "--kind", "model", "--ref", "derivedFrom=data", "--ref", "preRegisteredBy=plan")[0] == 3
    )
    return outbox_of(project)


def all_lead_somewhere(ledger):
    """Whether every entry on the ledger refers to such as were there before it, or come in the same block."""
    known = {each.id for each in ledger.entries}
    return all(ref["entry"] in known for each in ledger.entries for ref in each.body.get("refs", ()))


def test_what_refers_to_an_entry_signed_again_is_signed_again_too(project, ledger, cli, keys, waits):
    assert len(waits.list()) == 3
    keys(True)
    code, out, _ = cli("status", "--flush", "--json")
    said = json.loads(out)
    assert (code, len(said["sent"]), said["outbox"]) == (0, 3, [])
    assert [each.kind for each in ledger.entries] == ["preregistration", "dataset", "model"]
    assert [len(each.body.get("refs", ())) for each in ledger.entries] == [0, 1, 2]
    assert all_lead_somewhere(ledger)
    assert cli("verify", "plan", "data", "model", "--offline")[0] == 0


def test_a_pending_entry_keeps_the_author_who_signed_it(project, ledger, nodes, home, cli):
    (project.root / "x").write_text("x")
    nodes[0].stop()
    assert cli("anchor", "x", "--timeout", "0.3")[0] == 5
    key = home / "keys" / "test.key"
    key.unlink()
    create_key(key)
    nodes[0].start_again()
    assert cli("status", "--flush")[0] == 0
    assert [each.key for each in ledger.entries] == [ledger.consortium.researcher.public]
    assert cli("verify", "--offline", "x")[0] == 0


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"{}")])
def test_what_cannot_name_its_new_author_is_not_signed_again(project, ledger, cli, keys, damage):
    (project.root / "x").write_text("x")
    assert cli("anchor", "x")[0] == 3
    damage(project.root / "x.record.json")
    keys(True)
    code, out, _ = cli("status", "--flush", "--json")
    assert (code, ledger.entries) == (2, [])
    assert "cannot be signed again: its record" in json.loads(out)["outbox"][0]["reason"]


def test_evidence_that_was_exchanged_is_not_signed_again(project, ledger, cli, keys):
    for name in ("x", "y"):
        (project.root / name).write_text(name)
        assert cli("anchor", name)[0] == 3
    (project.root / "x.record.json").write_bytes((project.root / "y.record.json").read_bytes())
    keys(True)
    assert cli("status", "--flush")[0] == 2
    assert ledger.entries == []


def test_what_is_new_takes_along_what_it_refers_to(project, ledger, cli, keys, waits):
    """The plan goes first, whether it is named by its artifact or by its id; and what supersedes a refused entry."""
    plan = next(each for each in waits.list() if each.kind == "preregistration")
    keys(True)
    with notarium.track("fit", project=project) as run:
        run.refs("preRegisteredBy", bytes.fromhex(plan.id))
    assert run.receipt is not None
    assert run.id == run.receipt.id.hex()
    (project.root / "data").write_text("more")
    assert cli("anchor", "data", "--ref", "preRegisteredBy=plan")[0] == 0
    assert waits.list() == []
    assert len(ledger.entries) == 6, "the start of the run is one of them"
    assert all_lead_somewhere(ledger)


def test_what_supersedes_a_refused_entry_supersedes_the_one_signed_again(project, ledger, cli, keys):
    (project.root / "x").write_text("1")
    assert cli("anchor", "x")[0] == 3
    keys(True)
    (project.root / "x").write_text("2")
    assert cli("anchor", "x")[0] == 0
    first, second = ledger.entries
    assert second.body["refs"] == [{"rel": "supersedes", "entry": first.id}]


def test_an_entry_waits_for_what_it_refers_to(project, nodes, ledger, cli):
    async def refuse_plans(request):
        refused = request.method == "POST" and b"preregistration" in await request.read()
        return problem(403, "unknown-key", "is not enrolled", field="key") if refused else None

    nodes[0].fault = refuse_plans
    for name in ("plan", "data", "other"):
        (project.root / name).write_text(name)
    assert cli("prereg", "plan")[0] == 3
    code, out, err = cli("anchor", "data", "--ref", "preRegisteredBy=plan")
    assert (code, out.split()[0]) == (3, "pending")
    assert "must be anchored first" in err
    with pytest.raises(NotAnchored):
        anchor(
            "data", project=project, refs=[Ref("preRegisteredBy", bytes.fromhex(pending(cli)[0]["id"]))], strict=True
        )
    assert cli("anchor", "other")[0] == 0, "what refers to nothing of the kind goes"
    assert cli("status", "--flush")[0] == 3
    assert len(ledger.entries) == 1
    nodes[0].fault = None
    assert cli("status", "--flush")[0] == 0
    assert len(ledger.entries) == 3
    assert all_lead_somewhere(ledger)


def pending(cli):
    return json.loads(cli("status", "--json")[1])["outbox"]


def test_what_another_refers_to_is_dropped_with_it_only(project, cli, waits):
    plan, data, model = (each["id"] for each in pending(cli))
    for chosen in ([plan], [data], [plan, data], [plan, model]):
        code, _, err = cli("status", *(word for each in chosen for word in ("--drop", each)))
        assert code == 2
        assert "refers to" in err
    assert len(waits.list()) == 3
    assert cli("status", "--drop", data, "--drop", model)[0] == 0
    assert cli("status", "--drop", plan)[0] == 0
    assert waits.list() == []


@pytest.mark.parametrize("survived", range(10))
def test_a_crash_amid_it_loses_nothing(project, ledger, cli, keys, waits, survived, monkeypatch):
    """Record by the new author is written, then new entries, then the old ones go; three each, `survived` done."""
    keys(True)
    steps: list[object] = []

    def counted(step):
        def count(*args):
            if len(steps) == survived:
                raise KeyboardInterrupt
            steps.append(step)
            return step(*args)

        return count

    with monkeypatch.context() as patch:
        patch.setattr(delivery, "write_record", counted(commit.write_record))
        patch.setattr(Outbox, "put", counted(Outbox.put))
        patch.setattr(Outbox, "remove", counted(Outbox.remove))
        with pytest.raises(KeyboardInterrupt):
            deliver(project, waits.list(), 5)
    assert len(steps) == survived
    assert cli("status", "--flush")[0] == 0
    assert waits.list() == []
    assert [each.kind for each in ledger.entries] == ["preregistration", "dataset", "model"]
    assert all_lead_somewhere(ledger)
    assert cli("verify", "plan", "data", "model", "--offline")[0] == 0


def test_where_one_cannot_be_signed_again_all_stay_as_they_are(project, ledger, cli, keys, waits, monkeypatch):
    before = {each.id for each in waits.list()}
    keys(True)
    sign = commit.sign

    def refuse_models(here, body, key):
        if body["kind"] == "model":
            raise ProjectError("too large")
        return sign(here, body, key)

    with monkeypatch.context() as patch:
        patch.setattr(delivery, "sign", refuse_models)
        first, *others = deliver(project, waits.list(), 5)
    assert "too large" in str(first.error)
    assert all("must be anchored first" in str(each.error) for each in others)
    assert {each.id for each in waits.list()} == before
    assert ledger.entries == []


def test_a_damaged_outbox_holds_back_what_it_may_concern_and_nothing_else(project, ledger, cli, keys, waits):
    plan, data, _model = waits.list()
    damaged = project.folder / "outbox" / f"{data.id}.json"
    whole = damaged.read_bytes()
    damaged.write_bytes(b"{")
    keys(True)
    for target in (plan, data):
        with notarium.track("fit", project=project) as run:
            run.refs("derivedFrom", bytes.fromhex(target.id))
        assert run.receipt is None
    with notarium.track("fit", project=project) as run:
        pass
    assert run.receipt is not None, "an entry that refers to nothing that waits goes its way"
    assert [each.body["kind"] for each in ledger.entries] == ["run-start", "run-start", "run-start", "run"]
    damaged.write_bytes(whole)
    assert cli("status", "--flush")[0] == 0
    assert len(ledger.entries) == 9
    assert all_lead_somewhere(ledger)


def test_the_backlog_gets_the_time_that_is_left_and_no_more(project, node):
    node.stop()
    for name in ("old", "new"):
        (project.root / name).write_text(name)
    assert anchor("old", timeout=0.3).status == "pending"
    node.start_again()
    posts = []

    async def slow_then_silent(request):
        posts.append(request.path)
        await asyncio.sleep(1.5 if len(posts) == 1 else 60)

    node.fault = slow_then_silent
    started = time.monotonic()
    assert anchor("new", timeout=3).status == "anchored"
    assert time.monotonic() - started < 4.0  # 1.5 s for the new entry, and 1.5 s for the old one.
    assert len(posts) >= 2
