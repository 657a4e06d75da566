"""The oracles of the chain pass good decisions, and fire on each way to break one: agreement, certificates, time.

The good bytes are blocks of tests/support.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.simulation.oracle_replay import NOW_MS, UNSIGNED, raw, violation, watching
from tests.simulation.oracles import faulty, quorum
from tests.support.chains import approved
from tests.support.consortium import START_MS, Consortium, digest, fake_certificate, key

from notarium_ledger.blocks.block import Block, Decision, Header
from notarium_ledger.blocks.certificate import QuorumCertificate, Seal
from notarium_ledger.blocks.statements import StatementKind, vote_bytes
from notarium_ledger.entries.entry import Entry
from notarium_ledger.signing import SigningKey
from notarium_ledger.types import Hash, Height, Round


class Ledger:
    """A chain by hand: decisions of a consortium, each made on the state after those before."""

    def __init__(self, n: int = 4, **over: Any) -> None:
        self.consortium = Consortium(n)
        self.oracles = watching(self.consortium, **over)
        self.state = self.consortium.state

    def submit(self, entries: Sequence[Entry], clock_ms: int | None = None) -> Sequence[Entry]:
        """Known to the oracles."""
        for entry in entries:
            self.oracles.submitted(entry.raw, clock_ms)
        return entries

    def make(self, entries: Sequence[Entry] | None = None, **how: Any) -> Decision:
        """A valid decision of the next height."""
        chosen = self.submit(self.consortium.entries(3)) if entries is None else entries
        return self.consortium.decide(self.state, chosen, **how)[0]

    def decide(self, entries: Sequence[Entry] | None = None, **how: Any) -> Decision:
        """The next block: decided, and passed by the oracles."""
        chosen = self.submit(self.consortium.entries(3)) if entries is None else self.submit(entries)
        decision, transition = self.consortium.decide(self.state, chosen, **how)
        self.tell(decision)
        self.state = transition.state
        return decision

    def tell(self, decision: Decision, node: int = 0, **clocks: Any) -> None:
        """A node decides it."""
        self.oracles.decided(node, int(decision.height), raw(decision), **clocks)

    def altered(self, decision: Decision, **fields: Any) -> Decision:
        """With another header, certified by all the same."""
        header = replace(decision.block.header, **fields)
        certificate = self.consortium.certify(header, self.state.registry.validators)
        return Decision(Block(header, decision.block.entries), certificate)

    def seal(
        self, header: Header, signer: SigningKey, type_: StatementKind = StatementKind.COMMIT, round_: int = 0
    ) -> Seal:
        """Any seal for a block of the next height."""
        validators = self.state.registry.validators.hash
        said = vote_bytes(type_, self.consortium.genesis.hash, validators, header.height, Round(round_), header.hash)
        return Seal(signer.public, signer.sign(said))

    def sealed(self, decision: Decision, seals: Sequence[Seal], **fields: Any) -> Decision:
        """With these seals instead, in ascending order; `fields` replace others of the certificate."""
        certificate = replace(decision.certificate, seals=tuple(sorted(seals, key=lambda each: each.key)), **fields)
        return Decision(decision.block, certificate)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


# ---- the chain -----------------------------------------------------------------------------------------------------


def test_passes_a_chain_that_every_node_decides(ledger):
    for _ in range(3):
        decision = ledger.decide()
        for node in range(1, 4):
            ledger.tell(decision, node)
    assert ledger.oracles.height == 3


def test_passes_other_certificates_of_one_block(ledger):
    decision = ledger.make()
    ledger.tell(decision)
    validators = ledger.state.registry.validators
    everyone = [each.key for each in validators.validators]
    ledger.tell(Decision(decision.block, ledger.consortium.certify(decision.block.header, validators, 2, everyone)), 1)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 7, 10])
def test_passes_chains_of_every_size_and_quorum_is_that_of_the_product(n):
    ledger = Ledger(n)
    ledger.decide()
    ledger.decide()
    validators = ledger.state.registry.validators
    assert (quorum(n), faulty(n)) == (validators.quorum, validators.faulty)


def test_agreement_two_blocks_of_one_height(ledger):
    one, other = ledger.make(), ledger.make()
    ledger.tell(one)
    with violation("agreement", "decides block 1/.*others block 1/"):
        ledger.tell(other, 1)


def test_agreement_other_entries_under_one_header(ledger):
    decision = ledger.make()
    ledger.tell(decision)
    swapped = Decision(replace(decision.block, entries=decision.block.entries[::-1]), decision.certificate)
    with violation("agreement", "other entries"):
        ledger.tell(swapped, 1)


def _seals(ledger: Ledger, decision: Decision, count: int) -> list[Seal]:
    return [ledger.seal(decision.block.header, each) for each in ledger.consortium.validator_keys[:count]]


def _certificate_faults() -> Iterator[tuple[str, str, Callable[[Ledger, Decision], Decision]]]:
    def too_few(ledger, decision):
        return ledger.sealed(decision, _seals(ledger, decision, 2))

    def one_signer_twice(ledger, decision):
        two = _seals(ledger, decision, 2)
        return ledger.sealed(decision, [*two, two[0]])

    def stranger(ledger, decision):
        return ledger.sealed(
            decision, [*_seals(ledger, decision, 2), ledger.seal(decision.block.header, key("stranger"))]
        )

    def rounds_mixed(ledger, decision):
        last = ledger.seal(decision.block.header, ledger.consortium.validator_keys[2], round_=1)
        return ledger.sealed(decision, [*_seals(ledger, decision, 2), last])

    def prepare_as_seal(ledger, decision):
        last = ledger.seal(decision.block.header, ledger.consortium.validator_keys[2], StatementKind.PREPARE)
        return ledger.sealed(decision, [*_seals(ledger, decision, 2), last])

    def invalid_beyond_the_quorum(ledger, decision):
        last = Seal(ledger.consortium.validator_keys[3].public, UNSIGNED)
        return ledger.sealed(decision, [*_seals(ledger, decision, 3), last])

    def of_another_block(ledger, decision):
        other = ledger.make()
        return Decision(decision.block, other.certificate)

    def of_another_height(ledger, decision):
        return ledger.sealed(decision, decision.certificate.seals, height=Height(2))

    def of_another_round(ledger, decision):
        return ledger.sealed(decision, decision.certificate.seals, round=Round(1))

    def not_ascending(ledger, decision):
        seals = decision.certificate.seals
        return Decision(decision.block, _unchecked(decision.certificate, (seals[1], seals[0], seals[2])))

    yield "too few", "2 distinct signers, 3 needed", too_few
    yield "one signer twice", "once", one_signer_twice
    yield "stranger", "not validly signed by a validator", stranger
    yield "rounds mixed", "not validly signed", rounds_mixed
    yield "prepare as seal", "not validly signed", prepare_as_seal
    yield "invalid beyond the quorum", "not validly signed", invalid_beyond_the_quorum
    yield "of another block", "is for height", of_another_block
    yield "of another height", "is for height", of_another_height
    yield "of another round", "not validly signed", of_another_round
    yield "not ascending", "ascending", not_ascending


def _unchecked(certificate: QuorumCertificate, seals: tuple[Seal, ...]) -> QuorumCertificate:
    changed = replace(certificate)
    object.__setattr__(changed, "seals", seals)
    return changed


@pytest.mark.parametrize(("reason", "fault"), [pytest.param(*rest, id=name) for name, *rest in _certificate_faults()])
def test_certificate(ledger, reason, fault):
    bad = fault(ledger, ledger.make())
    with violation("certificate", reason):
        ledger.tell(bad)


@pytest.mark.parametrize(
    ("oracle", "reason", "fields"),
    [
        pytest.param("chain", "another ledger", {"genesis": Hash(digest("other"))}, id="genesis"),
        pytest.param("chain", "parent is not", {"parent": Hash(digest("other"))}, id="parent"),
        pytest.param("chain", "another validator set", {"validators": Hash(digest("other"))}, id="validators"),
        pytest.param("chain", "in force since 1, not 2", {"since": 2}, id="since"),
        pytest.param("chain", "proposer is not a validator", {"proposer": key("stranger").public}, id="proposer"),
        pytest.param("time", "not above its parent's", {"time_ms": START_MS + 1_000}, id="time"),
        pytest.param("tree root", "", {"tree_root": Hash(digest("other"))}, id="tree root"),
        pytest.param("tree root", "", {"tree_size": 7}, id="tree size"),
        pytest.param("state", "changes the validator set", {"next_validators": Hash(digest("other"))}, id="next set"),
    ],
)
def test_header_that_is_certified_but_wrong(ledger, oracle, reason, fields):
    ledger.decide(time_ms=START_MS + 1_000)
    bad = ledger.altered(ledger.make(), **fields)
    with violation(oracle, reason):
        ledger.tell(bad)


def test_tree_root_binds_the_order_of_entries(ledger):
    decision = ledger.make()
    swapped = Decision(replace(decision.block, entries=decision.block.entries[::-1]), decision.certificate)
    with violation("tree root"):
        ledger.tell(swapped)


def test_chain_height_left_out(ledger):
    ledger.decide()
    first = ledger.make()
    ledger.state = ledger.consortium.decide(ledger.state, ledger.submit(ledger.consortium.entries(1)))[1].state
    second = ledger.make()
    assert (first.height, second.height) == (2, 3)
    with violation("chain", "before anybody has decided its parent"):
        ledger.tell(second)


def test_chain_empty_block(ledger):
    decision = ledger.make()
    with violation("chain", "empty"):
        ledger.tell(Decision(replace(decision.block, entries=()), decision.certificate))


def test_chain_entry_that_is_none(ledger):
    ledger.oracles.submitted(b"\x90")
    decision = ledger.make()
    with violation("chain", "an entry is decided that is none"):
        ledger.tell(Decision(replace(decision.block, entries=(b"\x90",)), decision.certificate))


def test_chain_told_as_another_height(ledger):
    with violation("chain", "at height 2"):
        ledger.oracles.decided(0, 2, raw(ledger.make()))


@pytest.mark.parametrize("spoil", [lambda data: data + b"\0", lambda data: data[:-1], lambda data: b"\x90"])
def test_malformed_decision(ledger, spoil):
    with violation("malformed"):
        ledger.oracles.decided(0, 1, spoil(raw(ledger.make())))


def test_malformed_decision_that_is_not_canonical(ledger):
    data = raw(ledger.make())
    assert data[:2] == b"\x92\x92"
    with violation("malformed", "not canonical"):
        ledger.oracles.decided(0, 1, b"\xdc\0\2" + data[1:])


def test_origin_of_an_entry_that_nobody_submitted(ledger):
    with violation("origin"):
        ledger.tell(ledger.make(ledger.consortium.entries(1)))


def test_duplicate_in_one_block(ledger):
    entry = ledger.submit([ledger.consortium.entry()])[0]
    with violation("duplicate"):
        ledger.tell(ledger.make([entry, entry]))


def test_duplicate_of_an_earlier_block(ledger):
    entry = ledger.submit([ledger.consortium.entry()])[0]
    ledger.decide([entry])
    with violation("duplicate"):
        ledger.tell(ledger.make([*ledger.submit(ledger.consortium.entries(1)), entry]))


def _change(ledger: Ledger) -> tuple[list[Entry], list[tuple[str, bytes]]]:
    """Entries that give member 0 another validator key, and the set that follows."""
    new = key("another validator 0")
    ledger.consortium.keys_by_public[new.public] = new
    node = {**ledger.consortium.node_document(0, "validator", new), "key": bytes(new.public)}
    entries = approved(
        ledger.consortium, 3, {"type": "set-node", "node": {**node, "certificate": fake_certificate(new)}}
    )
    keys = [new.public, *[each.public for each in ledger.consortium.validator_keys[1:]]]
    return entries, [(member, bytes(each)) for member, each in zip(ledger.consortium.members, keys, strict=True)]


def test_passes_a_change_of_the_set_and_follows_it(ledger):
    entries, after = _change(ledger)
    ledger.oracles.knows_set(after)
    ledger.decide(entries)
    ledger.decide()


def test_chain_set_that_nobody_announced(ledger):
    ledger.decide(_change(ledger)[0])
    with violation("chain", "nobody has announced"):
        ledger.tell(ledger.make())


def test_certificate_of_the_set_before(ledger):
    entries, after = _change(ledger)
    ledger.oracles.knows_set(after)
    before = ledger.state.registry.validators
    ledger.decide(entries)
    decision = ledger.make()
    old = Decision(decision.block, ledger.consortium.certify(decision.block.header, before))
    with violation("certificate", "not validly signed"):
        ledger.tell(old)


# ---- time ----------------------------------------------------------------------------------------------------------


def test_time_passes_what_the_precision_and_delay_allow(ledger):
    for time_ms in (NOW_MS + 500, NOW_MS + 501):
        decision = ledger.decide(time_ms=time_ms)
        ledger.tell(decision, clocks_ms=(NOW_MS - 9, NOW_MS + 1))
    ledger.tell(ledger.decide(time_ms=NOW_MS + 100_000 - 9), clocks_ms=(NOW_MS + 100_000, NOW_MS + 100_000))


def test_time_ahead_of_all_honest_clocks(ledger):
    with violation("time", "1 ms too early"):
        ledger.tell(ledger.make(time_ms=NOW_MS + 501), clocks_ms=(NOW_MS - 3, NOW_MS))


def test_time_before_what_the_parent_allows(ledger):
    ledger.tell(ledger.decide(time_ms=NOW_MS - 9_000), clocks_ms=(NOW_MS, NOW_MS))
    with violation("time", "1 ms older"):
        ledger.tell(ledger.make(time_ms=NOW_MS - 4_501), clocks_ms=(NOW_MS + 60_000, NOW_MS + 60_000))


def test_time_before_the_entry_was_made(ledger):
    entries = ledger.submit(ledger.consortium.entries(1), NOW_MS)
    with violation("time", "1 ms older"):
        ledger.tell(ledger.make(entries, time_ms=NOW_MS - 4_501), clocks_ms=(NOW_MS + 60_000, NOW_MS + 60_000))


def test_time_is_judged_when_the_first_node_decides(ledger):
    first = ledger.decide(time_ms=NOW_MS)
    ledger.tell(first, clocks_ms=(NOW_MS, NOW_MS))
    ledger.tell(first, 1, clocks_ms=(NOW_MS + 60_000, NOW_MS + 60_000))  # a node that was away
    ledger.tell(ledger.decide(time_ms=NOW_MS + 1_000), clocks_ms=(NOW_MS + 61_000, NOW_MS + 61_000))


def test_time_may_be_older_in_a_later_round(ledger):
    entries = ledger.submit(ledger.consortium.entries(1), NOW_MS)
    decision = ledger.make(entries, time_ms=NOW_MS - 4_500, round=1)
    ledger.tell(decision, clocks_ms=(NOW_MS + 60_000, NOW_MS + 60_000))
