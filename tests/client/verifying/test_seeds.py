"""A seed from the ledger is checked offline, by the record of the run and the receipt of its start."""

import pytest
from tests.client.helpers import facts_of, present
from tests.support.consortium import digest

import notarium
from notarium.anchoring.open_runs import runs_folder
from notarium.evidence.record import Record
from notarium.ledger_access.receipt_file import load_receipt
from notarium.verifying import seeds
from notarium.verifying.result import FindingKind, VerificationStatus
from notarium.verifying.seeds import check_seeds, check_seeds_of
from notarium.verifying.verification import verify
from notarium_ledger.log.frontier import inclusion_path
from notarium_ledger.trust.receipt import Receipt, ReceiptVerifier
from notarium_ledger.trust.seed import derive_seed


@pytest.fixture
def run(project, ledger):
    """A run with two seeds, in whose ledger something was decided before and after its start."""
    ledger.submit([ledger.consortium.raw(ledger.consortium.body("dataset"))])
    with notarium.track("fit") as run:
        run.seed_from_ledger()
        run.seed_from_ledger("numpy")
    return run


@pytest.fixture
def start(project, run, genesis):
    [place] = runs_folder(project).glob("*.start.receipt.json")
    return load_receipt(place, ReceiptVerifier(genesis))


def test_the_seeds_of_a_run_are_those_of_its_start(run, start):
    facts, body = facts_of(run), present(run.receipt).body
    assert check_seeds(facts, body, start) == []
    assert facts["seeds"] == {
        "seed": derive_seed(start.header.hash, start.id),
        "numpy": derive_seed(start.header.hash, start.id, "numpy"),
    }
    assert check_seeds({"seeds": {"seed": 1}}, body, start) == [], "a seed that nobody claims to be the ledger's"


def test_a_seed_of_ones_own_choice_is_found(run, start):
    facts, body = facts_of(run), present(run.receipt).body
    first, second = facts["ledger_seeds"]

    def problems(*claimed, seeds=facts["seeds"]):
        return check_seeds({"seeds": seeds, "ledger_seeds": list(claimed)}, body, start)

    assert "the block of the start gives" in problems({**first, "seed": 7})[0]
    assert "the block of the start gives" in problems(first, seeds={"seed": 7})[0]
    assert "names another" in problems({**first, "block": "00" * 32})[0]
    assert "names another" in problems({**second, "start": "00" * 32})[0]
    for parent in ("", "00", None, start.header.raw.hex()):
        assert "cannot be checked" in problems({**first, "parent_header": parent})[0]
    assert "cannot be checked" in problems("x")[0]
    for missing in first:
        assert "cannot be checked" in problems({name: each for name, each in first.items() if name != missing})[0]
    for long in problems({**first, "seed": "7" * 5000}), problems(first, seeds={"seed": "7" * 5000}):
        assert len(long[0]) < 500, "a record may come from a stranger"
    assert check_seeds({"ledger_seeds": "x"}, body, start) == ["ledger_seeds is not a list"]
    other = {**body, "refs": [{"rel": "ends", "entry": digest("another start")}]}
    assert "does not refer to" in check_seeds(facts, other, start)[0]


def test_a_receipt_under_a_later_block_gives_no_other_seed(run, start, ledger, genesis):
    """Anybody can make one: it verifies, and its block has another hash."""
    later = list(ledger.decided.values())[-1]
    path = inclusion_path(lambda level, at: ledger.nodes[level, at], start.index, later.decided.header.tree_size)
    receipt = Receipt(start.entry.raw, start.index, tuple(path), later.decided)
    ReceiptVerifier(genesis).verify(receipt)
    moved = type(start)(receipt, start.id)
    body = present(run.receipt).body
    seed = derive_seed(moved.header.hash, moved.id)
    parent = start.header.raw.hex()
    claimed = {"name": "", "seed": seed, "start": moved.id.hex(), "block": moved.header.hash.hex()}
    claims = {"seeds": {"seed": seed}, "ledger_seeds": [{**claimed, "parent_header": parent}]}
    assert "was in the log before block" in check_seeds(claims, body, moved)[0]


def test_a_verdict_says_whether_nobody_chose_the_seeds(run, project, genesis, monkeypatch):
    result = verify(present(run.receipt_path), genesis)
    assert any("nobody chose the seeds (seed " in each for each in result.parts.proven)
    [start] = runs_folder(project).glob("*.start.receipt.json")
    start.rename(project.root / "elsewhere.json")
    result = verify(present(run.receipt_path), genesis)
    assert result, "the files and the record are as they were"
    assert any("the receipt of its start is not here" in each for each in result.parts.not_shown)
    (project.root / "elsewhere.json").rename(start)
    monkeypatch.setattr(seeds, "derive_seed", lambda *_: 1)
    result = verify(present(run.receipt_path), genesis)
    assert result.status is VerificationStatus.MISMATCH
    assert {each.what for each in result.findings} == {FindingKind.SEED}


@pytest.mark.parametrize("run_id", ["../../x", "", 7, "0" * 17])
def test_a_record_names_no_file_outside_of_the_folder_of_starts(run, project, genesis, run_id):
    record = Record("run", (), {"ledger_seeds": facts_of(run)["ledger_seeds"], "run_id": run_id})
    found = check_seeds_of(record, present(run.receipt), present(run.receipt_path), ReceiptVerifier(genesis))
    assert found.not_shown
    assert not found.wrong
