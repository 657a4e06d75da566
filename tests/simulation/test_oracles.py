"""Every oracle passes good bytes, and fires on each way to break what it watches over.

The good bytes come from the real product: blocks of tests/support, and a recorded run of real engines and stores.
"""

from __future__ import annotations

import ast
import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.simulation import oracles as package
from tests.simulation.oracle_recording import Call, Recording
from tests.simulation.oracles import Oracles, SafetyViolation, faulty, quorum
from tests.support.chains import approved
from tests.support.consortium import START_MS, Consortium, digest, fake_certificate, key

from notarium_consensus.messages import (
    Message,
    Proposal,
    RoundChange,
    SignedRoundChange,
    Vote,
    decode_message,
    encode_message,
    statement,
)
from notarium_ledger import canonical
from notarium_ledger.block import Block, Decision, Header
from notarium_ledger.certificate import QuorumCertificate, Seal, VoteType, vote_bytes
from notarium_ledger.entry import Entry
from notarium_ledger.signing import SigningKey
from notarium_ledger.types import Hash, Height, Round, Signature

UNSIGNED = Signature(bytes(64))
NOW_MS = START_MS + 5_000


def violation(oracle: str, reason: str = "") -> pytest.RaisesExc:
    """The block must raise SafetyViolation of this oracle, with `reason` (a pattern) in its message."""
    return pytest.raises(SafetyViolation, match=f"^{oracle}: .*{reason}")


def raw(decision: Decision) -> bytes:
    """Canonical bytes."""
    return canonical.encode(decision.to_value())


def watching(consortium: Consortium, **over: Any) -> Oracles:
    """Oracles of a run in which all validators of `consortium` are honest nodes."""
    members = [(each.member, bytes(each.key)) for each in consortium.state.registry.validators.validators]
    keys = {number: bytes(each.public) for number, each in enumerate(consortium.validator_keys)}
    root = bytes(consortium.state.registry.hash)
    options: dict[str, Any] = {"node_keys": keys, "genesis_state_root": root, "hears_all": True} | over
    return Oracles(bytes(consortium.genesis.hash), members, START_MS, **options)


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

    def seal(self, header: Header, signer: SigningKey, type_: VoteType = VoteType.COMMIT, round_: int = 0) -> Seal:
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
        last = ledger.seal(decision.block.header, ledger.consortium.validator_keys[2], VoteType.PREPARE)
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
        pytest.param("chain", "proposer is not a validator", {"proposer": key("stranger").public}, id="proposer"),
        pytest.param("time", "not above its parent's", {"time_ms": START_MS + 1_000}, id="time"),
        pytest.param("tree root", "", {"tree_root": Hash(digest("other"))}, id="tree root"),
        pytest.param("tree root", "", {"tree_size": 7}, id="tree size"),
        pytest.param("state", "changes the state root", {"state_root": Hash(digest("other"))}, id="state root"),
        pytest.param("state", "changes the validator set", {"next_validators": Hash(digest("other"))}, id="next set"),
    ],
)
def test_header_that_is_certified_but_wrong(ledger, oracle, reason, fields):
    ledger.decide(time_ms=START_MS + 1_000)
    bad = ledger.altered(ledger.make(), **fields)
    with violation(oracle, reason):
        ledger.tell(bad)


def test_state_root_at_height_1_is_that_of_genesis(ledger):
    bad = ledger.altered(ledger.make(), state_root=Hash(digest("other")))
    with violation("state", "changes the state root"):
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
    ledger.tell(ledger.decide(time_ms=NOW_MS - 5_000), clocks_ms=(NOW_MS, NOW_MS))
    with violation("time", "1 ms older"):
        ledger.tell(ledger.make(time_ms=NOW_MS - 2_501), clocks_ms=(NOW_MS + 60_000, NOW_MS + 60_000))


def test_time_before_the_entry_was_made(ledger):
    entries = ledger.submit(ledger.consortium.entries(1), NOW_MS)
    with violation("time", "1 ms older"):
        ledger.tell(ledger.make(entries, time_ms=NOW_MS - 2_501), clocks_ms=(NOW_MS + 60_000, NOW_MS + 60_000))


def test_time_is_judged_when_the_first_node_decides(ledger):
    first = ledger.decide(time_ms=NOW_MS)
    ledger.tell(first, clocks_ms=(NOW_MS, NOW_MS))
    ledger.tell(first, 1, clocks_ms=(NOW_MS + 60_000, NOW_MS + 60_000))  # a node that was away
    ledger.tell(ledger.decide(time_ms=NOW_MS + 1_000), clocks_ms=(NOW_MS + 61_000, NOW_MS + 61_000))


def test_time_may_be_older_in_a_later_round(ledger):
    entries = ledger.submit(ledger.consortium.entries(1), NOW_MS)
    decision = ledger.make(entries, time_ms=NOW_MS - 4_500, round=1)
    ledger.tell(decision, clocks_ms=(NOW_MS + 60_000, NOW_MS + 60_000))


# ---- what nodes write and send: a recorded run ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return Recording(tmp_path_factory.mktemp("recording"))


class Replay:
    """Plays the recording, up to some call and on."""

    def __init__(self, recording: Recording, **over: Any) -> None:
        self.recording = recording
        self.oracles = watching(recording.consortium, **over)
        self.genesis = recording.consortium.genesis.hash
        self.keys = recording.consortium.validator_keys
        self.disks: dict[int, dict[bytes, bytes]] = {number: {} for number in range(4)}
        self._next = 0

    def until(self, method: str, where: Callable[[Call], bool] = lambda call: True) -> Call:
        """Play on to the next such call, which is returned and left out."""
        for call in self.recording.calls[self._next :]:
            self._next += 1
            if call.method == method and where(call):
                return call
            self.play(call)
        raise LookupError(f"no {method} is left")

    def until_sent(self, height: int, kind: int, round_: int = 0, node: int | None = None) -> tuple[int, Message]:
        """Up to where some node (or `node`) would send this; it is on its disk already."""

        def wanted(call: Call) -> bool:
            message = decode_message(call.args[1][1:])
            found = (int(message.height), int(message.kind), int(message.round)) == (height, kind, round_)
            return found and node in (None, call.args[0])

        call = self.until("sent", wanted)
        return call.args[0], decode_message(call.args[1][1:])

    def end(self) -> None:
        """Play the rest."""
        for call in self.recording.calls[self._next :]:
            self.play(call)

    def play(self, call: Call) -> None:
        """One call, as recorded."""
        getattr(self.oracles, call.method)(*call.args)
        if call.method == "wrote":
            self._note(*call.args)

    def wrote(self, node: int, puts: list[tuple[bytes, bytes]], deleted: Sequence[bytes] = ()) -> None:
        """A batch that was not recorded."""
        self.oracles.wrote(node, puts, deleted)
        self._note(node, puts, deleted)

    def keep(self, node: int, message: Message) -> None:
        """Write a message under its slot, as an engine would."""
        self.wrote(node, [(_slot(message), encode_message(message))])

    def say(self, node: int, message: Message, keep: bool = True) -> None:
        """Send a message that was not recorded; by default it is on the disk before."""
        if keep:
            self.keep(node, message)
        self.oracles.sent(node, b"\1" + encode_message(message))

    def finish(self, logs: dict[int, list[bytes]] | None = None, **over: Any) -> None:
        """End the run."""
        recorded = self.recording
        options: dict[str, Any] = {"faults_ended_ms": recorded.now_ms, "now_ms": recorded.now_ms + 100, "pending": []}
        self.oracles.finish(recorded.logs if logs is None else logs, **options | over)

    def sign(self, message: Any, signer: SigningKey) -> Any:
        """The message or statement as `signer` signs it."""
        members = self.recording.sets[int(message.height)]
        validators = package.formats.set_hash(members)
        core = message.signed if isinstance(message, RoundChange) else message
        core = replace(core, key=signer.public, signature=UNSIGNED)
        signed = replace(core, signature=signer.sign(statement(core, self.genesis, Hash(validators))))
        return replace(message, signed=signed) if isinstance(message, RoundChange) else signed

    def vote(self, kind: int, height: int, round_: int, block: bytes, node: int) -> Vote:
        """A signed vote of node number `node`."""
        signer = self.keys[node]
        return self.sign(
            Vote(VoteType(kind), Height(height), Round(round_), Hash(block), signer.public, UNSIGNED), signer
        )

    def change(self, height: int, round_: int, node: int, prepared: tuple[Round, Hash] | None = None) -> Any:
        """A signed round change without its proof."""
        signer = self.keys[node]
        return self.sign(SignedRoundChange(Height(height), Round(round_), prepared, signer.public, UNSIGNED), signer)

    def _note(self, node: int, puts: Sequence[tuple[bytes, bytes]], deleted: Sequence[bytes], *_: Any) -> None:
        self.disks[node].update(puts)
        for name in deleted:
            self.disks[node].pop(name, None)


def _slot(message: Message) -> bytes:
    return b"c" + message.height.to_bytes(8, "big") + message.round.to_bytes(4, "big") + bytes([message.kind])


def _prepared_name(height: int) -> bytes:
    return b"c" + height.to_bytes(8, "big") + b"prepared"


PROPOSAL, PREPARE, COMMIT, ROUND_CHANGE = 1, 2, 3, 4


@pytest.fixture
def replay(recording: Recording) -> Replay:
    return Replay(recording)


def test_passes_the_recorded_run(replay):
    replay.end()
    replay.finish(pending=[])
    assert replay.oracles.height == 4
    assert not replay.oracles.rolled_back_nodes


def test_the_recorded_run_has_a_lock_a_justification_and_a_change_of_the_set(recording):
    sent = [decode_message(call.args[1][1:]) for call in recording.calls if call.method == "sent"]
    proposals = [each for each in sent if isinstance(each, Proposal) and each.round == 1]
    assert [(each.height, len(each.round_changes), len(each.prepares)) for each in proposals] == [(2, 3, 3)]
    assert recording.sets[3] != recording.sets[4]


def test_persist_before_send_of_what_is_not_on_disk(replay):
    node, message = replay.until_sent(1, PREPARE)
    replay.wrote(node, [(_slot(message), b"")])
    with violation("persist before send", "not on its disk"):
        replay.say(node, message, keep=False)


@pytest.mark.parametrize("kind", [PROPOSAL, PREPARE, COMMIT])
def test_persist_before_send_when_the_write_of_a_kind_is_left_out(recording, kind):
    replay = Replay(recording)
    name = (1).to_bytes(8, "big") + bytes(4) + bytes([kind])
    dropped = [call for call in recording.calls if call.method == "wrote" and call.args[1][0][0] == b"c" + name]
    assert dropped
    with violation("persist before send"):
        for call in recording.calls:
            if call not in dropped:
                replay.play(call)


def test_persist_before_send_when_the_disk_has_another_message(replay):
    node, message = replay.until_sent(1, PREPARE)
    replay.keep(node, replay.vote(PREPARE, 1, 0, digest("other"), node))
    with violation("persist before send", "not on its disk"):
        replay.say(node, message, keep=False)


def test_persist_before_send_of_the_prepared_block(recording):
    replay = Replay(recording)
    dropped = [call for call in recording.calls if call.method == "wrote" and call.args[1][0][0] == _prepared_name(1)]
    assert dropped
    with violation("persist before send", "prepared block is not on disk"):
        for call in recording.calls:
            if call not in dropped:
                replay.play(call)


def test_persist_before_send_with_another_block_prepared(replay):
    node, commit = replay.until_sent(2, COMMIT)
    name = _prepared_name(2)
    prepared: Any = canonical.decode(replay.disks[node][name])
    replay.wrote(node, [(name, canonical.encode([1, 7, prepared[2], prepared[3]]))])
    with violation("persist before send", "another block prepared"):
        replay.say(node, commit, keep=False)


def test_persist_before_send_of_an_own_signature_in_a_justification(replay):
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    own = replay.keys[node].public
    assert isinstance(proposal, Proposal)
    change = next(each for each in proposal.round_changes if each.key == own)
    contents = dict(replay.disks[node])
    del contents[b"c" + (2).to_bytes(8, "big") + change.round.to_bytes(4, "big") + bytes([ROUND_CHANGE])]
    replay.oracles.rolled_back(node, contents)
    with violation("persist before send", "passes on its round change"):
        replay.say(node, proposal, keep=False)


def test_persist_before_send_deletes_the_record_of_an_undecided_height(replay):
    node, message = replay.until_sent(1, COMMIT)
    with violation("persist before send", "undecided height 1"):
        replay.wrote(node, [], [_slot(message)])


def test_passes_a_message_on_its_way_while_its_height_is_decided(replay):
    node, message = replay.until_sent(1, COMMIT)
    replay.until("submitted")
    assert _slot(message) not in replay.disks[node]
    replay.say(node, message, keep=False)


def test_prepared_without_a_quorum(replay):
    node, commit = replay.until_sent(1, COMMIT)
    prepared: Any = canonical.decode(replay.disks[node][_prepared_name(1)])
    replay.wrote(node, [(_prepared_name(1), canonical.encode([*prepared[:3], prepared[3][:2]]))])
    with violation("prepared", "2 distinct signers, 3 needed"):
        replay.say(node, commit, keep=False)


def test_prepared_by_prepares_of_another_round(replay):
    node, commit = replay.until_sent(1, COMMIT)
    prepared: Any = canonical.decode(replay.disks[node][_prepared_name(1)])
    others = [replay.vote(PREPARE, 1, 1, commit.block_hash, each).to_value() for each in range(3)]
    replay.wrote(node, [(_prepared_name(1), canonical.encode([*prepared[:3], others]))])
    with violation("prepared", "in round 1"):
        replay.say(node, commit, keep=False)


def test_double_vote_prepares(recording):
    replay = Replay(recording, hears_all=False)
    node, vote = replay.until_sent(1, PREPARE)
    replay.say(node, vote, keep=False)
    with violation("double vote", "node .* has said something else before its prepare"):
        replay.say(node, replay.vote(PREPARE, 1, 0, digest("other"), node))


def test_double_vote_commits(replay):
    """Also where a quorum of liars has prepared the second block."""
    node, vote = replay.until_sent(1, COMMIT)
    replay.say(node, vote, keep=False)
    prepared: Any = canonical.decode(replay.disks[node][_prepared_name(1)])
    block = Block.from_value(prepared[2])
    other = replace(block, header=replace(block.header, time_ms=block.header.time_ms + 1))
    prepares = [replay.vote(PREPARE, 1, 0, other.hash, each).to_value() for each in range(4)]
    replay.wrote(node, [(_prepared_name(1), canonical.encode([1, 0, other.to_value(), prepares]))])
    with violation("double vote", "its commit"):
        replay.say(node, replay.vote(COMMIT, 1, 0, other.hash, node))


def test_double_vote_of_a_proposer(replay):
    node, proposal = replay.until_sent(1, PROPOSAL)
    replay.say(node, proposal, keep=False)
    assert isinstance(proposal, Proposal)
    block = replace(proposal.block, header=replace(proposal.block.header, time_ms=proposal.block.header.time_ms + 1))
    with violation("double vote"):
        replay.say(node, replay.sign(replace(proposal, block=block), replay.keys[node]))


def test_double_vote_after_the_disk_was_wiped(replay):
    node, vote = replay.until_sent(1, PREPARE)
    replay.say(node, vote, keep=False)
    replay.oracles.rolled_back(node, {})
    with violation("double vote"):
        replay.say(node, replay.vote(PREPARE, 1, 0, digest("other"), node))


def test_double_vote_inside_a_justification(replay):
    """The round change that a proposal brings says something else than the one that was sent."""
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    assert isinstance(proposal, Proposal)
    other = replay.change(2, 1, node)
    swapped = tuple(other if each.key == other.key else each for each in proposal.round_changes)
    replay.keep(node, RoundChange(other, None, ()))
    with violation("double vote", "round change for nothing"):
        replay.say(node, replace(proposal, round_changes=swapped))


def test_passes_a_round_change_of_a_node_that_has_committed_to_nothing(replay):
    node, _ = replay.until_sent(1, PREPARE)
    replay.say(node, RoundChange(replay.change(1, 1, node), None, ()))


def test_left_round(replay):
    node, prepare = replay.until_sent(2, PREPARE)
    replay.say(node, prepare, keep=False)
    replay.until_sent(2, PROPOSAL, 1)  # everybody has changed to round 1
    with violation("left round", "spoken in round 1"):
        replay.say(node, prepare, keep=False)


def test_left_round_of_the_node_that_sends_again_after_a_restart(replay):
    node, change = replay.until_sent(2, ROUND_CHANGE, 1)
    replay.say(node, change, keep=False)
    replay.oracles.rolled_back(node, replay.disks[node])
    assert not replay.oracles.rolled_back_nodes
    replay.say(node, change, keep=False)
    with violation("left round"):
        replay.say(node, replay.vote(PREPARE, 2, 0, digest("any"), node))


def test_lock_prepare_of_another_block_after_a_quorum_committed(replay):
    replay.until_sent(2, PREPARE, 1)
    with violation("lock", "another block is locked in round 0"):
        replay.say(0, replay.vote(PREPARE, 2, 1, digest("other"), 0))


def test_lock_counts_no_node_that_has_lost_its_disk(recording):
    replay = Replay(recording, hears_all=False)
    replay.until_sent(2, PREPARE, 1)
    for node in range(1, 4):
        replay.oracles.rolled_back(node, {})
    replay.say(0, replay.vote(PREPARE, 2, 1, digest("other"), 0))


def test_lock_forgotten_in_a_round_change(replay):
    node, _ = replay.until_sent(2, ROUND_CHANGE, 1)
    with violation("lock", "has committed in round 0"):
        replay.say(node, RoundChange(replay.change(2, 1, node), None, ()))


def test_justification_proposal_without_enough_round_changes(replay):
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    assert isinstance(proposal, Proposal)
    with violation("justification", "not the round changes of a quorum"):
        replay.say(node, replace(proposal, round_changes=proposal.round_changes[:2]))


def test_justification_proposal_with_one_round_change_thrice(replay):
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    assert isinstance(proposal, Proposal)
    with violation("justification", "not the round changes of a quorum"):
        replay.say(node, replace(proposal, round_changes=proposal.round_changes[:1] * 3))


def test_justification_proposal_with_round_changes_of_another_round(replay):
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    assert isinstance(proposal, Proposal)
    others = tuple(replay.change(2, 2, each) for each in range(4) if each != node)
    with violation("justification", "round change for nothing in round 2"):
        replay.say(node, replace(proposal, round_changes=others))


def test_justification_proposal_of_another_block_than_the_highest_prepared(replay):
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    assert isinstance(proposal, Proposal)
    header = replace(proposal.block.header, time_ms=proposal.block.header.time_ms + 1)
    other = replay.sign(replace(proposal, block=replace(proposal.block, header=header)), replay.keys[node])
    with violation("justification", "not the highest prepared one"):
        replay.say(node, other)


def test_justification_proposal_without_its_prepares(replay):
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    assert isinstance(proposal, Proposal)
    with violation("justification", "2 distinct signers, 3 needed"):
        replay.say(node, replace(proposal, prepares=proposal.prepares[:2]))


def test_justification_proposal_out_of_turn(replay):
    node, proposal = replay.until_sent(1, PROPOSAL)
    other = (node + 1) % 4
    with violation("justification", "does not propose in that round"):
        replay.say(other, replay.sign(proposal, replay.keys[other]))


def test_justification_proposal_on_another_parent(replay):
    node, proposal = replay.until_sent(2, PROPOSAL)
    assert isinstance(proposal, Proposal)
    header = replace(proposal.block.header, parent=Hash(digest("other")))
    bad = replay.sign(replace(proposal, block=replace(proposal.block, header=header)), replay.keys[node])
    with violation("justification", "parent is not the block before"):
        replay.say(node, bad)


def _changed_header(proposal: Proposal, **fields: Any) -> Proposal:
    return replace(proposal, block=replace(proposal.block, header=replace(proposal.block.header, **fields)))


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("another ledger", lambda proposal: _changed_header(proposal, genesis=Hash(digest("other")))),
        ("time is not above", lambda proposal: _changed_header(proposal, time_ms=1)),
        ("names another proposer", lambda proposal: _changed_header(proposal, proposer=key("other").public)),
    ],
)
def test_justification_fresh_proposal(replay, reason, change):
    node, proposal = replay.until_sent(2, PROPOSAL)
    with violation("justification", reason):
        replay.say(node, replay.sign(change(proposal), replay.keys[node]))


def test_justification_in_round_0_has_none(replay):
    node, proposal = replay.until_sent(2, PROPOSAL)
    assert isinstance(proposal, Proposal)
    carried = replace(proposal, round_changes=(replay.change(2, 0, (node + 1) % 4),))
    with violation("justification", "in round 0"):
        replay.say(node, replay.sign(carried, replay.keys[node]))


def _with_changes(replay: Replay, make: Callable[[int], SignedRoundChange]) -> tuple[int, Proposal]:
    """The proposal of round 1, with the round changes of the others made anew."""
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    assert isinstance(proposal, Proposal)
    own = [each for each in proposal.round_changes if each.key == replay.keys[node].public]
    return node, replace(proposal, round_changes=(*own, *[make(each) for each in range(4) if each != node]))


def test_justification_proposal_with_a_prepared_round_that_is_not_below(replay):
    claim = (Round(1), Hash(digest("any")))
    node, proposal = _with_changes(replay, lambda each: replay.change(2, 1, each, claim))
    with violation("justification", "prepared round 1 is not below"):
        replay.say(node, proposal)


def test_justification_proposal_with_a_round_change_that_nobody_signed(replay):
    node, proposal = _with_changes(replay, lambda each: replace(replay.change(2, 1, each), signature=UNSIGNED))
    with violation("justification", "has not signed"):
        replay.say(node, proposal)


def test_justification_fresh_proposal_of_round_1_that_names_its_signer_or_not(recording):
    """Where no round change names a prepared block, the proposer makes one of its own."""
    replay = Replay(recording)
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    assert isinstance(proposal, Proposal)
    liar = replay.keys[node]
    replay.oracles.knows_key(9, bytes(liar.public))
    changes = tuple(replay.change(2, 1, each) for each in range(4) if each != node)
    fresh = replace(_changed_header(proposal, proposer=liar.public), round_changes=changes, prepares=())
    justification = package.justification
    judged = [
        justification.fault(
            package.formats.read_message(encode_message(replay.sign(each, liar))),
            replay.oracles._chain,
            bytes(replay.genesis),
            replay.oracles._signatures,
        )
        for each in (fresh, _changed_header(fresh, proposer=replay.keys[(node + 1) % 4].public))
    ]
    assert judged == [None, "its fresh block names another proposer"]


def test_justification_round_change_without_the_block_that_it_names(replay):
    node, change = replay.until_sent(2, ROUND_CHANGE, 1)
    assert isinstance(change, RoundChange)
    with violation("justification", "does not bring the block"):
        replay.say(node, replace(change, block=None))


def test_justification_round_change_with_a_prepare_counted_twice(replay):
    node, change = replay.until_sent(2, ROUND_CHANGE, 1)
    assert isinstance(change, RoundChange)
    with violation("justification", "is counted twice"):
        replay.say(node, replace(change, prepares=(*change.prepares[:2], change.prepares[1])))


def test_justification_round_change_whose_prepared_round_is_not_below(replay):
    node, change = replay.until_sent(2, ROUND_CHANGE, 1)
    assert isinstance(change, RoundChange)
    assert change.signed.prepared is not None
    same = replace(change.signed, prepared=(Round(1), change.signed.prepared[1]))
    with violation("justification", "prepared round 1 is not below"):
        replay.say(node, replay.sign(replace(change, signed=same), replay.keys[node]))


def test_justification_round_change_without_its_prepares(replay):
    node, change = replay.until_sent(2, ROUND_CHANGE, 1)
    assert isinstance(change, RoundChange)
    with violation("justification", "distinct signers"):
        replay.say(node, replace(change, prepares=change.prepares[:2]))


def test_justification_prepare_without_a_justified_proposal(replay):
    node, _ = replay.until_sent(1, PREPARE)
    with violation("justification", "no justified proposal"):
        replay.say(node, replay.vote(PREPARE, 1, 0, digest("other"), node))


@pytest.mark.parametrize("is_justified", [True, False])
def test_justification_of_a_liars_proposal_that_was_overheard(recording, is_justified):
    replay = Replay(recording)
    proposer, proposal = replay.until_sent(1, PROPOSAL)
    assert isinstance(proposal, Proposal)
    node = (proposer + 1) % 4
    said = proposal if is_justified else replace(proposal, signature=UNSIGNED)
    replay.oracles.overheard(b"\1" + b"\x99\1\1 nonsense")
    replay.oracles.overheard(b"\1" + encode_message(said))
    prepare = replay.vote(PREPARE, 1, 0, proposal.block_hash, node)
    if is_justified:
        replay.say(node, prepare)
        return
    with violation("justification", "no justified proposal"):
        replay.say(node, prepare)


def test_forged_message_of_another_key(replay):
    node, prepare = replay.until_sent(1, PREPARE)
    with violation("forged"):
        replay.say((node + 1) % 4, prepare)


def test_signature_of_a_message(replay):
    node, prepare = replay.until_sent(1, PREPARE)
    with violation("signature"):
        replay.say(node, replace(prepare, signature=UNSIGNED))


def test_stranger_who_signs_after_it_was_replaced(replay):
    replay.until_sent(4, PREPARE)
    with violation("stranger"):
        replay.say(0, replay.vote(PREPARE, 4, 0, digest("any"), 0))


def test_chain_message_of_a_height_that_nobody_reached(replay):
    node, _ = replay.until_sent(1, PREPARE)
    vote = Vote(VoteType.PREPARE, Height(3), Round(0), Hash(digest("any")), replay.keys[node].public, UNSIGNED)
    with violation("chain", "height 3 is worked on"):
        replay.say(node, vote)


def test_malformed_message(replay):
    with violation("malformed"):
        replay.oracles.sent(0, b"\1\x93\1\2\3")


def test_status_and_blocks_that_are_true_pass_and_others_do_not(replay):
    replay.end()
    log = replay.recording.logs[0]
    tip = canonical.decode(log[3])[1][2]  # type: ignore[index]
    replay.oracles.sent(0, b"\3" + canonical.encode([4, tip]))
    replay.oracles.sent(0, b"\5" + canonical.encode(list(log)))
    replay.oracles.sent(0, b"\2 entries, which no oracle judges")
    with violation("chain", "claims a tip of height 3"):
        replay.oracles.sent(0, b"\3" + canonical.encode([3, tip]))
    replay.oracles.rolled_back(0, {})
    with violation("chain", "not on its disk"):
        replay.oracles.sent(0, b"\3" + canonical.encode([4, tip]))
    with violation("malformed"):
        replay.oracles.sent(0, b"\5" + canonical.encode([log[0][:-1]]))
    with violation("malformed", "node 0 sends"):
        replay.oracles.sent(0, b"\3" + b"\x92\1")


# ---- what the disk says of the chain -------------------------------------------------------------------------------


def _decision_batch(call: Call) -> bool:
    return any(name[:1] == b"h" for name, _ in call.args[1])


def test_agreement_sees_a_decision_that_is_written_but_never_told(recording):
    replay = Replay(recording)
    for call in recording.calls:
        if call.method != "decided":
            replay.play(call)
    assert replay.oracles.height == 4


@pytest.mark.parametrize(
    ("prefix", "oracle", "reason"),
    [
        (b"s", "state", "another state"),
        (b"r", "state", "another registry"),
        (b"v", "state", "another set"),
        (b"h", "chain", "cannot be read"),
        (b"e", "agreement", "other entries"),
    ],
)
def test_what_a_node_stores_beside_its_decision(replay, prefix, oracle, reason):
    """At height 3, which changes the registry; another node has stored it before."""
    replay.until("wrote", lambda call: _decision_batch(call) and call.height == 3)
    call = replay.until("wrote", lambda call: _decision_batch(call) and any(k[:1] == b"v" for k, _ in call.args[1]))
    node, puts, deleted = call.args
    changed = [(name, _spoilt(name, value) if name[:1] == prefix else value) for name, value in puts]
    assert changed != puts
    with violation(oracle, reason):
        replay.wrote(node, changed, deleted)


def _spoilt(name: bytes, value: bytes) -> bytes:
    if name[:1] == b"h":
        return value[:-1]
    decoded: Any = canonical.decode(value)
    if name[:1] == b"s":
        decoded[2] += 1  # the time
    elif name[:1] == b"r":
        decoded["parameters"]["max_block_entries"] += 1
    else:
        decoded = decoded[::-1]
    return canonical.encode(decoded)


def test_chain_tip_that_is_none(replay):
    call = replay.until("wrote", _decision_batch)
    node, puts, deleted = call.args
    state: Any = canonical.decode(dict(puts)[b"s"])
    state[1] = digest("other")
    with violation("chain", "stores a tip"):
        replay.wrote(node, [*puts, (b"s", canonical.encode(state))], deleted)


def test_chain_decision_under_another_height(replay):
    node, puts, deleted = replay.until("wrote", _decision_batch).args
    moved = [(b"h" + (2).to_bytes(8, "big") if name[:1] == b"h" else name, value) for name, value in puts]
    with violation("chain", "under another height"):
        replay.wrote(node, moved, deleted)


def test_state_of_a_height_that_is_not_decided(replay):
    with violation("state", "height 2, which is not decided"):
        replay.wrote(0, [(b"r" + (2).to_bytes(8, "big"), b"\x80")])


def test_agreement_of_a_header_that_is_stored_without_its_entries(replay):
    """As a snapshot brings it."""
    call = replay.until("submitted", lambda call: call.height == 2)
    node, puts, _ = next(
        each for each in replay.recording.calls if each.method == "wrote" and _decision_batch(each)
    ).args
    header = [(name, value) for name, value in puts if name[:1] == b"h"]
    replay.wrote(node, header)
    consortium = replay.recording.consortium
    other = consortium.decide(consortium.state, consortium.entries(2))[0]
    value = canonical.encode([other.block.header.raw, other.certificate.encode(), 0, b""])
    assert call.height == 2
    with violation("agreement", "others block 1/"):
        replay.wrote(node, [(header[0][0], value)])


def test_persist_before_send_prepared_record_that_cannot_be_read(replay):
    node, commit = replay.until_sent(1, COMMIT)
    replay.wrote(node, [(_prepared_name(1), b"\x90")])
    with violation("persist before send", "no readable prepared block"):
        replay.say(node, commit, keep=False)


# ---- acknowledged entries ------------------------------------------------------------------------------------------


def test_lost_acknowledged_before_it_is_decided(recording):
    replay = Replay(recording)
    answer = next(call for call in recording.calls if call.method == "acknowledged")
    replay.until("wrote", _decision_batch)
    with violation("lost", "not decided"):
        replay.play(answer)


def test_lost_acknowledged_before_it_is_on_the_own_disk(replay):
    node, id_, receipt = replay.until("acknowledged").args
    replay.oracles.rolled_back(node, {})
    with violation("lost", "not on its own disk"):
        replay.oracles.acknowledged(node, id_, receipt)


def _only_decided_by(recording: Recording, node: int, keep: int) -> tuple[Oracles, Call]:
    """All of height 1 at `node`; of the others only the first `keep` write anything. Nothing is sent."""
    oracles = watching(recording.consortium)
    others = [each for each in range(4) if each != node][:keep]
    for call in recording.calls:
        if call.method == "acknowledged" and call.args[0] == node:
            return oracles, call
        if call.method == "submitted" or (call.method == "wrote" and call.args[0] in (node, *others)):
            getattr(oracles, call.method)(*call.args)
    raise LookupError


def test_lost_acknowledged_while_too_few_have_it(recording):
    oracles, call = _only_decided_by(recording, 2, 0)
    with violation("lost", "only 1 honest validators have on disk, 2 needed"):
        oracles.acknowledged(*call.args)
    oracles, call = _only_decided_by(recording, 2, 1)
    oracles.acknowledged(*call.args)


def test_a_prepared_block_on_disk_counts_and_one_that_a_wipe_took_is_excused(recording):
    oracles, call = _only_decided_by(recording, 2, 0)
    prepared = next(
        each.args
        for each in recording.calls
        if each.method == "wrote" and each.args[1][0][0] == _prepared_name(1) and each.args[0] == 1
    )
    oracles.wrote(*prepared)
    oracles.acknowledged(*call.args)
    oracles.rolled_back(1, {})
    oracles.acknowledged(*call.args)
    assert oracles.rolled_back_nodes == {1}


def _with(old: str, new: str) -> Callable[[bytes], bytes]:
    return lambda receipt: receipt.replace(old.encode(), new.encode(), 1)


@pytest.mark.parametrize(
    ("step", "spoil"),
    [
        pytest.param("step 1", lambda receipt: receipt[:-1], id="form"),
        pytest.param("step 1", _with("v1+json", "v2+json"), id="media type"),
        pytest.param("step 2", lambda receipt: _field(receipt, "genesis", lambda value: "00" * 32), id="ledger"),
        pytest.param("step 3", lambda receipt: _field(receipt, "handovers", lambda value: value * 2), id="handovers"),
        pytest.param("step 4", lambda receipt: _field(receipt, "handovers", lambda value: []), id="no handover"),
        pytest.param("step 5", lambda receipt: _field(receipt, "index", lambda value: value - 1), id="index"),
        pytest.param("step 5", lambda receipt: _field(receipt, "path", lambda value: value[:-1]), id="path"),
        pytest.param("step 7", lambda receipt: _field(receipt, "about", _other_project), id="about"),
    ],
)
def test_receipt(replay, step, spoil):
    node, id_, receipt = replay.until("acknowledged", lambda call: call.height == 4).args
    with violation("receipt", step):
        replay.oracles.acknowledged(node, id_, spoil(receipt))


def _field(receipt: bytes, name: str, change: Callable[[Any], Any]) -> bytes:
    """The receipt with one field changed, in canonical form."""
    document = json.loads(receipt)
    document[name] = change(document[name])
    lines = [f'"{key}":' + json.dumps(value, separators=(",", ":")) for key, value in document.items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _other_project(about: dict[str, Any]) -> dict[str, Any]:
    return {**about, "project": "another"}


def test_receipt_certificate_of_another_block(replay):
    first = json.loads(replay.until("acknowledged").args[2])
    node, id_, receipt = replay.until("acknowledged", lambda call: call.height == 4).args
    with violation("receipt", "step 4"):
        replay.oracles.acknowledged(node, id_, _field(receipt, "certificate", lambda value: first["certificate"]))


def _answer(replay: Replay, height: int) -> tuple[int, bytes, bytes]:
    """The first recorded answer about an entry of `height`."""
    node, id_, receipt = replay.until("acknowledged", lambda call: call.height == height).args
    return node, id_, receipt


def _packed(value: Any) -> str:
    return base64.b64encode(canonical.encode(value)).decode()


def _unpacked(text: str) -> Any:
    return canonical.decode(base64.b64decode(text))


@pytest.mark.parametrize(
    ("reason", "name", "spoil"),
    [
        ("step 4: the signers do not ascend", "certificate", lambda value: [*value[:3], value[3][::-1]]),
        ("step 4: 2 distinct signers", "certificate", lambda value: [*value[:3], value[3][:2]]),
        ("step 4: the certificate is of another block", "certificate", lambda value: [value[0] + 1, *value[1:]]),
        ("step 4: the .* not validly signed", "certificate", lambda value: [value[0], value[1] + 1, *value[2:]]),
        ("step 4: the header is of another ledger", "header", lambda value: [1, digest("other"), *value[2:]]),
        ("step 6: the author's signature", "entry", lambda value: [*value[:3], bytes(64), *value[4:]]),
        ("step 6: not an entry", "entry", lambda value: [3, *value[1:]]),
    ],
)
def test_receipt_parts(replay, monkeypatch, reason, name, spoil):
    node, id_, receipt = _answer(replay, 1)
    if name == "entry":  # step 5 would find it first
        monkeypatch.setattr(package.merkle, "is_included", lambda *_: True)
    with violation("receipt", reason):
        replay.oracles.acknowledged(node, id_, _field(receipt, name, lambda text: _packed(spoil(_unpacked(text)))))


def test_receipt_with_a_handover_that_is_none(replay):
    _, _, last = Replay(replay.recording).until("acknowledged", lambda call: call.height == 4).args
    handovers = json.loads(last)["handovers"]
    node, id_, early = _answer(replay, 1)
    with violation("receipt", "step 3: heights do not ascend"):
        replay.oracles.acknowledged(node, id_, _field(early, "handovers", lambda value: handovers))
    node, id_, late = _answer(replay, 4)
    members = _packed([list(each) for each in replay.recording.sets[1]])
    with violation("receipt", "step 3: not the set handed over to"):
        replay.oracles.acknowledged(
            node, id_, _field(late, "handovers", lambda value: [{**value[0], "validators": members}])
        )


def test_receipt_in_base64_that_has_two_forms(replay):
    node, id_, receipt = _answer(replay, 1)
    document = json.loads(receipt)
    name = next(each for each in ("header", "certificate", "entry") if document[each].endswith("="))
    body = document[name].rstrip("=")
    loose = body[:-1] + chr(ord(body[-1]) + 1) + "=" * (len(document[name]) - len(body))
    assert base64.b64decode(loose) == base64.b64decode(document[name])
    with violation("receipt", "not canonical base64"):
        replay.oracles.acknowledged(node, id_, _field(receipt, name, lambda value: loose))


def test_receipt_of_another_entry(replay):
    node, id_, _ = replay.until("acknowledged").args
    other = replay.until("acknowledged", lambda call: call.args[1] != id_).args[2]
    with violation("receipt", "of another"):
        replay.oracles.acknowledged(node, id_, other)


def test_receipt_may_be_given_as_parsed_json(replay):
    node, id_, receipt = replay.until("acknowledged").args
    replay.oracles.acknowledged(node, id_, json.loads(receipt))


# ---- accusations, memory, the end ----------------------------------------------------------------------------------


def test_accused(replay):
    honest = bytes(replay.keys[1].public)
    replay.oracles.accused(0, bytes(key("liar").public), False)
    with violation("accused"):
        replay.oracles.accused(0, honest, True)
    replay.until_sent(1, PREPARE)
    replay.until("submitted")
    replay.oracles.rolled_back(1, {})
    replay.oracles.accused(0, honest, True)


def test_memory(recording):
    oracles = watching(recording.consortium, messages_limit=50)
    oracles.memory(0, "3", 50)
    with violation("memory", "51 messages of 3"):
        oracles.memory(0, "3", 51)


def test_liveness_pending_entry_that_is_never_decided(replay):
    replay.end()
    entry = replay.recording.consortium.entry()
    end_ms = replay.recording.now_ms
    replay.oracles.submitted(entry.raw, None, end_ms + 10)
    with pytest.raises(ValueError, match="may still be decided"):
        replay.finish(now_ms=end_ms + 60_010, pending=[bytes(entry.id)])
    with violation("liveness", "60000 ms after"):
        replay.finish(now_ms=end_ms + 60_011, pending=[bytes(entry.id)])


def test_liveness_pending_entry_that_is_decided_late(recording):
    replay = Replay(recording, liveness_ms=500)
    replay.end()
    last = next(call.args[1] for call in reversed(recording.calls) if call.method == "acknowledged")
    decided_ms = next(call.args[4] for call in reversed(recording.calls) if call.method == "decided")
    replay.finish(faults_ended_ms=decided_ms - 500, pending=[last])
    strict = Replay(recording, liveness_ms=-1)  # as if it had been due before it was submitted
    strict.end()
    with violation("liveness"):
        strict.finish(faults_ended_ms=0, pending=[last])


def test_liveness_node_that_stays_behind(replay):
    replay.end()
    logs = {**replay.recording.logs, 2: replay.recording.logs[2][:3]}
    replay.oracles.rolled_back(2, {})
    replay.finish(logs)
    with violation("liveness", "{2: 3}"):
        replay.finish(logs, now_ms=replay.recording.now_ms + 60_001)


@pytest.mark.parametrize("prefix", [b"h", b"e", b"i"])
def test_lost_part_of_a_block_that_is_deleted(replay, prefix):
    replay.end()
    key = next(key for key in replay.oracles._disks._contents[1] if key[:1] == prefix)
    with violation("lost", "deletes a part of a decided block"):
        replay.oracles.wrote(1, [], [key])


def test_lost_log_shorter_than_the_disk(replay):
    replay.end()
    with violation("lost", "its log only 3"):
        replay.finish({0: replay.recording.logs[0][:3]})


def test_lost_acknowledged_entry_that_is_in_no_log(replay):
    replay.end()
    for node in range(4):
        replay.oracles.rolled_back(node, {})
    with violation("lost", "is in no log"):
        replay.finish({node: log[:3] for node, log in replay.recording.logs.items()})


def test_agreement_of_the_logs_at_the_end(replay):
    replay.end()
    consortium = replay.recording.consortium
    entries = consortium.entries(1)
    replay.oracles.submitted(entries[0].raw)
    other = raw(consortium.decide(consortium.state, entries)[0])
    with violation("agreement"):
        replay.finish({**replay.recording.logs, 3: [other]})


def test_chain_log_with_a_height_left_out(replay):
    replay.end()
    log = replay.recording.logs[1]
    with violation("chain", "has block 3 at 2"):
        replay.finish({1: [log[0], log[2], log[3]]})


def test_a_member_that_was_voted_out_may_lack_blocks_below_its_snapshot_and_no_others(replay):
    replay.end()
    log = replay.recording.logs[1]
    with violation("lost", r"has stored the blocks \[3\]"):
        replay.finish({1: [*log[:2], log[3]]}, may_lack={1: [3]})
    for height in (2, 3):
        del replay.oracles._disks._contents[1][b"h" + height.to_bytes(8, "big")]
    replay.finish({1: [log[0], *log[3:]]}, may_lack={1: [2, 3]})
    with violation("chain", "has block 4 at 3"):
        replay.finish({1: [log[0], *log[3:]]}, may_lack={1: [2]})
    with violation("lost", "its log only 1"):
        replay.finish({1: log[:1]}, may_lack={1: [2, 3]})


# ---- independence --------------------------------------------------------------------------------------------------


def test_the_oracles_import_nothing_of_the_product():
    files = sorted(Path(package.__file__).parent.glob("*.py"))
    assert len(files) > 5
    imported: set[str] = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                imported |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    assert not [name for name in imported if name.startswith("notarium")]
    assert all(name.startswith("tests.simulation.oracles") for name in imported if name.startswith("tests"))
