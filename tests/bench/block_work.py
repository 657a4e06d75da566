"""What the most expensive valid block of each kind costs to check: python -m tests.bench.block_work [KEYS ...]

The ledger has a hundred validators, 256 members, 512 nodes and 4,096 open proposals, the most that the rules allow, and
KEYS researchers' keys. A check is what each validator does before it votes: form, signatures, rules, registry, header.
The node verifies signatures in threads; here they are part of one core's time. All figures are CPU time.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from tests.support.consortium import Consortium, digest, fake_certificate, key

from notarium_ledger.blocks.block import Block
from notarium_ledger.entries.entry import Entry
from notarium_ledger.signing import is_valid_key
from notarium_ledger.state.chain_state import (
    MAX_GOVERNANCE_ENTRIES,
    MAX_KEY_ENTRIES,
    ChainState,
    advance,
    apply_block,
    select_entries,
)
from notarium_ledger.state.registry import (
    MAX_KEYS,
    MAX_MEMBERS,
    MAX_NODES,
    MAX_OPEN_PROPOSALS,
    Member,
    MembershipProposal,
    NodeRecord,
    Parameters,
    Registry,
    Researcher,
)
from notarium_ledger.types import Hash, Height, PublicKey

VALIDATORS = 100
MOST_ENTRIES = 16_384
MOST_BYTES = 16 * 1024 * 1024
FAR = 1_900_000_000_000


def main() -> None:
    """Print a table for each number of keys."""
    for keys in [int(each) for each in sys.argv[1:]] or [100_000, 500_000]:
        _measure(keys)


def _measure(keys: int) -> None:
    consortium = Consortium(VALIDATORS, researchers=1)
    started = time.process_time()
    state = replace(consortium.state, registry=_registry(consortium, keys), height=Height(100))
    print(f"\n{keys} keys: the registry is built from its records in {time.process_time() - started:.1f} s")
    started = time.process_time()
    encoded = state.registry.encode()
    print(f"as a list of records {len(encoded) / 2**20:.1f} MiB, written in {time.process_time() - started:.1f} s")
    gc.freeze()  # Otherwise a garbage collection adds to one figure or another by chance.
    state = replace(state, height=Height(99))  # Proposals expire after height 100.
    research, _ = _one(state, _research(consortium))
    enrolment, admitted = _one(state, _enrolment(consortium))
    print(
        f"a block of one research entry {research * 1e6:.0f} µs, of one enrolment {enrolment * 1e6:.0f} µs, "
        f"ratio {enrolment / research:.2f}; where its key was judged at admission {admitted * 1e6:.0f} µs, "
        f"ratio {admitted / research:.2f}"
    )
    print("| block | entries | select | check without signatures | check | records written |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, before, entries in _blocks(consortium, state):
        select, rules, check, written = _times(before, entries)
        print(
            f"| {name} | {len(entries)} | {select * 1e3:.0f} ms | {rules * 1e3:.0f} ms | {check * 1e3:.0f} ms "
            f"| {written} |"
        )


def _one(state: ChainState, entry: Entry) -> tuple[float, float]:
    """Median seconds to check a block of one entry: if the entry is new to the node, and if the node had it already.

    Both verify the signature, of which a node keeps the result too.
    """
    proposer = state.registry.validators.validators[0].key
    block = Block(advance(state, [entry], FAR, proposer).header, (entry.raw,))

    def check() -> None:
        apply_block(state, block, lambda _: False)

    times = [(_timed(check)[1], _timed(check, cold=False)[1]) for _ in range(199)]
    cold, warm = (sorted(each)[99] for each in zip(*times, strict=True))
    return cold, warm


def _times(state: ChainState, entries: Sequence[Entry]) -> tuple[float, float, float, int]:
    """Seconds to select, to apply verified entries, and to check the block from its bytes; records written."""
    chosen, select = _timed(lambda: select_entries(state, entries, lambda _: False, FAR))
    assert (len(chosen[0]), len(chosen[1])) == (len(entries), 0), [str(error) for _, error in chosen[1][:1]]
    proposer = state.registry.validators.validators[0].key
    transition, rules = _timed(lambda: advance(state, entries, FAR, proposer))
    block = Block(transition.header, tuple(entry.raw for entry in entries))
    _, check = _timed(lambda: apply_block(state, block, lambda _: False))
    return select, rules, check, len(transition.registry_changes)


def _timed(work: Callable[[], Any], cold: bool = True) -> tuple[Any, float]:
    if cold:
        is_valid_key.cache_clear()
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


def _registry(consortium: Consortium, keys: int) -> Registry:
    base, share = consortium.genesis.registry, MAX_KEYS // MAX_MEMBERS
    members = {each.id: replace(each, keys=keys // MAX_MEMBERS - 2) for each in base.members.values()}
    for number in range(VALIDATORS, MAX_MEMBERS):
        members[f"x{number}"] = Member(
            f"x{number}", "Without a validator", key(f"x{number}").public, number, keys // MAX_MEMBERS - 2
        )
    nodes = [
        NodeRecord("m0", "observer", PublicKey(digest(f"node {number}")), digest(number) * 32, "host:1")
        for number in range(MAX_NODES - VALIDATORS - 1)
    ]
    researchers = {
        PublicKey(sha256(b"researcher %d" % number).digest()): Researcher(number % MAX_MEMBERS)
        for number in range(keys - 1)
    }
    registry = Registry.founded(
        members.values(),
        [*base.nodes.values(), *nodes],
        {**researchers, consortium.researcher.public: Researcher(0)},
        Parameters(max_block_entries=MOST_ENTRIES, max_block_bytes=MOST_BYTES, max_member_keys=share),
    )
    return _with_proposals(consortium, registry, MAX_OPEN_PROPOSALS - 1).settled()


def _with_proposals(consortium: Consortium, registry: Registry, each: int) -> Registry:
    approvals = frozenset(consortium.members[:60])
    for member in registry.members:
        for number in range(each):
            action = _set_node(number)
            proposal = MembershipProposal(member, action, approvals, Height(100))
            registry = registry.with_proposal(Hash(digest(f"proposal {member} {number}")), proposal)
    return registry


def _set_node(number: int) -> dict[str, Any]:
    label = key(f"observer {number}")
    return {
        "type": "set-node",
        "node": {
            "member": "m1",
            "role": "observer",
            "key": bytes(label.public),
            "certificate": fake_certificate(label) * 16,
            "address": "a." * 125 + "a:700",
            "api": "https://" + "b." * 123 + "b",
        },
    }


def _research(consortium: Consortium) -> Entry:
    return consortium.entry()


def _enrolment(consortium: Consortium, number: int = -1) -> Entry:
    return consortium.entry(
        consortium.member_body("enrol", max(number, 0) % VALIDATORS, key=bytes(key(f"new {number}").public))
    )


def _blocks(consortium: Consortium, state: ChainState) -> Iterator[tuple[str, ChainState, list[Entry]]]:
    singles = [_research(consortium) for _ in range(MOST_ENTRIES)]
    yield "research, single signatures", state, singles
    yield "research, signed in batches", state, consortium.entries(MOST_ENTRIES)
    yield "research, with as many subjects and references as fit", state, _many_parts(consortium)
    enrolments = [_enrolment(consortium, number) for number in range(MAX_KEY_ENTRIES)]
    yield "enrolments", state, enrolments
    proposals = [_proposal(consortium, number) for number in range(MAX_GOVERNANCE_ENTRIES)]
    yield "proposals to set a node", state, proposals
    target = Hash(digest("proposal m0 0"))
    votes = [
        consortium.entry(consortium.member_body("vote", number, proposal=bytes(target), approve=True))
        for number in range(60, 60 + MAX_GOVERNANCE_ENTRIES // 2)
    ]
    # 67 of 100 votes decide it; what comes after would be a vote on a closed proposal.
    lapse = replace(state, registry=_with_change(consortium, state.registry, target).settled())
    yield "a vote that changes the validator set: all proposals lapse", lapse, votes[:7]
    expired = replace(state, height=Height(100))
    yield "all proposals expire", expired, [_research(consortium)]
    rest = singles[: MOST_ENTRIES - MAX_KEY_ENTRIES - MAX_GOVERNANCE_ENTRIES]
    yield "the most of all kinds, all proposals expire", expired, [*enrolments, *proposals, *rest]


def _many_parts(consortium: Consortium) -> list[Entry]:
    """The greatest number of subjects and references that the bytes of a block hold."""
    subjects = [{"digest": digest(number), "role": "x"} for number in range(64)]
    refs = [{"rel": "reviews", "entry": digest(number)} for number in range(64)]
    first = consortium.entry(consortium.body(subjects=subjects, refs=refs))
    most = MOST_BYTES // (len(first.raw) + 8)
    return [first, *(consortium.entry(consortium.body(subjects=subjects, refs=refs)) for _ in range(most - 1))]


def _proposal(consortium: Consortium, number: int) -> Entry:
    body = consortium.member_body("propose", number % VALIDATORS, action=_set_node(1_000 + number))
    return consortium.entry(body)


def _with_change(consortium: Consortium, registry: Registry, id_: Hash) -> Registry:
    action: dict[str, Any] = {"type": "remove-member", "id": "m99"}
    proposal = MembershipProposal("m0", action, frozenset(consortium.members[:60]), Height(100))
    return registry.with_proposal(id_, proposal)


if __name__ == "__main__":
    main()
