"""A header is trusted by the chain from genesis to its certificate alone; an error names the step that failed."""

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.support.consortium import digest
from tests.vectors.chain import chain, looped

from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.trust.chain import ChainStep, ChainVerifier, DecidedHeader, Handover, InvalidChain
from notarium_ledger.types import Hash, Height

GENESIS = chain().consortium.genesis
GOOD = chain().decided(3)
(HANDOVER,) = GOOD.handovers
FOUNDERS = GENESIS.registry.validators


@pytest.fixture
def verifier() -> ChainVerifier:
    return ChainVerifier(GENESIS)


def header(**changes: Any) -> DecidedHeader:
    return replace(GOOD, header=replace(GOOD.header, **changes))


def handovers(*each: Handover) -> DecidedHeader:
    return replace(GOOD, handovers=each)


def test_every_decided_header_of_the_chain_is_trusted(verifier):
    for height in range(1, len(chain().decisions) + 1):
        verifier.verify(chain().decided(height))


BAD = {
    "another ledger": (ChainStep.LEDGER, "genesis", header(genesis=Hash(digest("another")))),
    "a handover of another ledger": (
        ChainStep.HANDOVERS,
        "handovers[0]",
        handovers(replace(HANDOVER, header=replace(HANDOVER.header, genesis=Hash(digest("another"))))),
    ),
    "a handover twice": (ChainStep.HANDOVERS, "handovers[1]", handovers(HANDOVER, HANDOVER)),
    "a handover to the set before": (
        ChainStep.HANDOVERS,
        "handovers[0]",
        handovers(replace(HANDOVER, validators=FOUNDERS)),
    ),
    "a handover with another certificate": (
        ChainStep.HANDOVERS,
        "handovers[0]",
        handovers(replace(HANDOVER, certificate=GOOD.certificate)),
    ),
    "a handover of a set in force since another height": (
        ChainStep.HANDOVERS,
        "handovers[0]",
        handovers(replace(HANDOVER, header=replace(HANDOVER.header, since=Height(2)))),
    ),
    "a header of a set in force since another height": (ChainStep.DECISION, "header", header(since=Height(1))),
    "no handover": (ChainStep.DECISION, "header", handovers()),
    "another state": (ChainStep.DECISION, "certificate", header(state_root=Hash(digest("another")))),
    "the certificate of another block": (
        ChainStep.DECISION,
        "certificate",
        replace(GOOD, certificate=chain().decided(1).certificate),
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_proven_names_its_step(verifier, name):
    step, field, bad = BAD[name]
    with pytest.raises(InvalidChain) as caught:
        verifier.verify(bad)
    assert (caught.value.step, caught.value.field) == (step, field)


def test_a_loop_that_leads_back_to_the_same_set_cannot_be_left_out(verifier):
    whole = looped().decided(5)
    assert whole.header.validators == FOUNDERS.hash, "so by the hash of the set nothing is missing"
    verifier.verify(whole)
    with pytest.raises(InvalidChain, match="since height 5, and by the handovers since 1: one is left out") as caught:
        verifier.verify(replace(whole, handovers=()))
    assert caught.value.step is ChainStep.DECISION


def test_a_header_is_certified_once_and_a_changed_one_again(verifier, monkeypatch):
    checked = []
    real = QuorumCertificate.verify

    def verify(self, *args):
        checked.append(self)
        real(self, *args)

    monkeypatch.setattr(QuorumCertificate, "verify", verify)
    verifier.verify(GOOD)
    verifier.verify(GOOD)
    assert checked == [HANDOVER.certificate, GOOD.certificate]
    # Known headers are no licence for others: neither under the same certificate nor with one seal less.
    for bad in (header(time_ms=GOOD.header.time_ms + 1), _with_one_seal()):
        with pytest.raises(InvalidChain):
            verifier.verify(bad)
    assert len(checked) == 4


def _with_one_seal() -> DecidedHeader:
    return replace(GOOD, certificate=replace(GOOD.certificate, seals=GOOD.certificate.seals[:1]))


def test_only_so_many_headers_are_remembered(monkeypatch):
    verifier = ChainVerifier(GENESIS, remembered_headers=2)
    for height in range(1, len(chain().decisions) + 1):
        verifier.verify(chain().decided(height))
        assert len(verifier._certified) <= 2


def test_it_reads_back_from_both_of_its_forms():
    assert DecidedHeader.from_value(GOOD.to_value()) == GOOD
    assert DecidedHeader.from_document(json.loads("{" + GOOD.json_fields() + "}")) == GOOD


def test_the_text_of_a_handover_is_made_once_and_changes_nothing_else(monkeypatch):
    """A receipt has each handover in it: to encode 1,000 of 100 members each time cost 370 ms of the event loop."""
    fresh = replace(HANDOVER)
    before = hash(fresh)
    text = fresh.json()
    assert json.loads(text) == fresh.to_document()
    monkeypatch.setattr(Handover, "to_document", None)
    assert fresh.json() is text
    assert json.loads("{" + handovers(fresh, fresh).json_fields() + "}")["handovers"] == [json.loads(text)] * 2
    monkeypatch.undo()
    assert (fresh, hash(fresh)) == (HANDOVER, before)
    # A copy with another value has a text of its own.
    assert json.loads(replace(fresh, certificate=GOOD.certificate).json()) != json.loads(text)
