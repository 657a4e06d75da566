"""A tracked run says what code ran, on what, and with which seeds; and it disturbs none of them."""

import hashlib
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from tests.client.helpers import facts_of, notarium, present
from tests.client.observing.repositories import git, repository
from tests.support.records import recorded

import notarium as library
from notarium.verifying.verification import verify


@pytest.fixture
def work(project):
    """The project as a repository with a script."""
    repository(project.root, train__py="first\n")
    return project.root


def code_files(said):
    return [each for each in said["artifacts"] if each["role"] == "code"]


def test_a_clean_tree_is_its_commit_also_on_the_ledger(work):
    with library.track("fit", keep_diff=True) as run:
        pass
    said = facts_of(run)
    assert said["code"]["commit"] == git(work, "rev-parse", "HEAD")
    assert said["code"]["dirty"] is False
    assert code_files(said) == []
    assert present(run.receipt).body["code"].hex() == said["code"]["commit"]
    # The receipt and the record of the first run lie in the tree by now.
    with library.track("fit") as run:
        pass
    assert facts_of(run)["code"]["dirty"] is False


def test_a_changed_tree_says_what_differed_and_keeps_it_on_request(work):
    (work / "train.py").write_text("second\n")
    with library.track("fit") as run:
        pass
    said = facts_of(run)
    assert said["code"]["dirty"] is True
    assert code_files(said) == []
    with library.track("fit", keep_diff=True) as run:
        pass
    said = facts_of(run)
    [kept] = code_files(said)
    patch = work / kept["name"]
    assert hashlib.sha256(patch.read_bytes()).hexdigest() == said["code"]["diff"]["sha256"] == kept["sha256"]
    assert "code" not in present(run.receipt).body
    assert verify(present(run.receipt_path))
    git(work, "stash")
    git(work, "apply", patch.name)
    assert (work / "train.py").read_text() == "second\n"
    patch.write_bytes(b"forged")
    assert not verify(present(run.receipt_path))


def test_what_changed_after_the_start_is_not_the_code_that_ran(work):
    with library.track("fit") as run:
        present(run._observation).code()
        (work / "train.py").write_text("while it ran\n")
    assert facts_of(run)["code"]["dirty"] is False


def test_a_diff_that_cannot_be_kept_is_a_gap_and_the_run_is_recorded(work, monkeypatch):
    (work / "train.py").write_text("second\n")
    (work / "taken").touch()
    monkeypatch.setattr("notarium.anchoring.kept_diff.PATCH_SUFFIX", "/x")
    with library.track("fit", keep_diff=True) as run:
        pass
    assert any("the diff of the code cannot be kept" in each for each in facts_of(run)["gaps"])
    assert run.receipt is not None


def test_a_generator_can_be_handed_over_as_a_seed(work):
    generator = np.random.default_rng(42)
    with library.track("fit") as run:
        run.seed(generator, "sampling")
        run.seed(7)
        generator.random()
    said = facts_of(run)
    assert said["seeds"]["sampling"]["seed"] == 42
    assert said["seeds"]["seed"] == 7


def test_a_seed_in_the_script_is_recognised_and_a_missing_one_is_a_gap(work):
    random.seed(42)
    with library.track("fit") as run:
        run.seed(42)
        random.random()
    said = facts_of(run)
    assert said["determinism"]["seeds"]["random"]["seed"] == 42
    assert not any("seed that is not known" in each for each in said["gaps"])
    with library.track("fit") as run:
        random.random()
    assert any("random drew random numbers from a seed that is not known" in each for each in facts_of(run)["gaps"])


def test_a_run_with_a_seed_gets_the_same_numbers_as_without_the_ledger(work, nodes):
    async def busy(request):
        return web.Response(status=503)

    # So that the client draws how long to wait before it asks again.
    nodes[0].fault = busy
    random.seed(1)
    np.random.seed(1)
    expected = random.random(), np.random.rand()
    random.seed(1)
    np.random.seed(1)
    with library.track("fit", wait=0.5) as run:
        run.seed(1)
    assert run.receipt is None
    assert (random.random(), np.random.rand()) == expected


def test_a_command_is_recorded_with_its_script_and_what_differed(work):
    (work / "train.py").write_text("open('model.bin', 'w').write('x')\n")
    (work / "helper.py").write_text("untracked\n")
    done = notarium("run", "--keep-diff", "--json", "--output", "model.bin", "--", sys.executable, "train.py")
    assert done.returncode == 0, done.stderr
    said = recorded(Path(json.loads(done.stderr.splitlines()[-1])["record"]))
    assert said["code"]["script"] == {
        "name": "train.py",
        "sha256": hashlib.sha256((work / "train.py").read_bytes()).hexdigest(),
        "size": (work / "train.py").stat().st_size,
    }
    assert [each["path"] for each in said["code"]["untracked"]] == ["helper.py"]
    [kept] = code_files(said)
    patch = (work / kept["name"]).read_bytes()
    git(work, "stash", "--include-untracked", "--", "train.py", "helper.py")
    subprocess.run(["git", "apply", "-"], cwd=work, input=patch, check=True)
    assert (work / "helper.py").read_text() == "untracked\n"
    assert any("ran in another process" in each for each in said["gaps"])
    assert verify(work / "python.run.receipt.json")
