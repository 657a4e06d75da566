"""The oracles of disks, receipts and the end pass a recorded run, and fire on each way to spoil it.

And they share nothing with what they judge.
"""

from __future__ import annotations

import ast
import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.simulation import oracles as package
from tests.simulation.oracle_recording import Call, Recording
from tests.simulation.oracle_replay import COMMIT, PREPARE, Replay, prepared_name, raw, violation, watching
from tests.simulation.oracles import Oracles
from tests.support.consortium import digest, key

from notarium_ledger.encoding import canonical

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
    if name[:1] == b"r":
        return value + b"\0"
    decoded: Any = canonical.decode(value)
    if name[:1] == b"s":
        decoded[2] += 1  # the time
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
        replay.wrote(0, [(b"v" + (2).to_bytes(8, "big"), b"\x90")])


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
    replay.wrote(node, [(prepared_name(1), b"\x90")])
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


def test_a_prepared_block_on_disk_counts_and_one_that_a_wipe_took_does_beyond_f_losses(recording):
    oracles, call = _only_decided_by(recording, 2, 0)
    prepared = next(
        each.args
        for each in recording.calls
        if each.method == "wrote" and each.args[1][0][0] == prepared_name(1) and each.args[0] == 1
    )
    oracles.wrote(*prepared)
    oracles.acknowledged(*call.args)
    oracles.rolled_back(1, {})
    assert oracles.rolled_back_nodes == {1}
    with violation("lost", "only 1 honest validators have on disk, 2 needed"):
        oracles.acknowledged(*call.args)
    oracles.acknowledged(*call.args, too_many_lost=True)


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
    with violation("false report"):
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
