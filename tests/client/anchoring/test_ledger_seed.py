"""A seed that nobody chose; and where it cannot be had, a run goes on and says so."""

import random

import pytest
from tests.client.helpers import facts_of, present, warnings_of

import notarium
from notarium.errors import NotariumError
from notarium_ledger.trust.seed import derive_seed


def test_the_seed_comes_from_the_block_of_the_start(project, ledger):
    with notarium.track("fit") as run:
        seed = run.seed_from_ledger()
        random.Random(seed)
        assert run.seed_from_ledger() == seed, "the same, however often it is asked for"
    start = ledger.decided[ledger.entries[0].id]
    assert seed == derive_seed(start.decided.header.hash, ledger.entries[0].id)
    assert facts_of(run)["seeds"] == {"seed": seed}
    assert facts_of(run)["ledger_seeds"][0]["parent_header"] == "", "it is the first block"


def test_who_tries_again_leaves_a_start_for_each_seed(project, ledger):
    seeds = set()
    for _ in range(3):
        with notarium.track("fit") as run:
            seeds.add(run.seed_from_ledger())
    assert len(seeds) == 3
    assert [each.body["kind"] for each in ledger.entries].count("run-start") == 3


def test_without_a_node_the_seed_is_drawn_here_and_the_record_says_so(project, nodes, caplog):
    nodes[0].stop()
    with notarium.track("fit", wait=0.2) as run:
        seed = run.seed_from_ledger(timeout=0.2)
    assert 0 <= seed < 2**32
    assert "drawn by this machine" in warnings_of(caplog)[0]
    said = facts_of(run)
    assert said["seeds"] == {"seed": seed}
    assert "ledger_seeds" not in said
    assert any("is not from the ledger" in each for each in said["gaps"])


def test_a_strict_run_gets_no_other_seed(project, nodes):
    nodes[0].stop()
    with pytest.raises(NotariumError), notarium.track("fit", wait=0.2, strict=True) as run:
        run.seed_from_ledger(timeout=0.2)


def test_a_node_that_shows_another_parent_gives_no_seed(project, nodes, ledger):
    for _ in range(3):
        ledger.submit([ledger.consortium.raw(ledger.consortium.body("dataset"))])
    with notarium.track("fit", strict=True) as run:
        present(run._life.start).wait(30)
        ledger.blocks[2] = ledger.blocks[1]
        with pytest.raises(NotariumError, match="is not the parent"):
            run.seed_from_ledger()
