"""snapshots.json: the state at a decided height with what proves it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.support.consortium import digest
from tests.vectors.chain import chain

from notarium_ledger.blocks.block import Header
from notarium_ledger.encoding import canonical
from notarium_ledger.log.frontier import Frontier
from notarium_ledger.trust.chain import DecidedHeader
from notarium_ledger.trust.snapshot import Snapshot
from notarium_ledger.types import Hash


def document() -> dict[str, Any]:
    """The file's content."""
    heights = range(1, len(chain().decisions) + 1)
    return {
        "about": "Snapshots of the ledger of genesis.json. An invalid one fails at `step` (docs: Snapshot).",
        "genesis": chain().consortium.genesis.document,
        "valid": [_valid(height) for height in heights],
        "invalid": [{"name": name, "step": step, "hex": data.hex()} for name, step, data in _invalid()],
    }


def snapshot(height: int) -> Snapshot:
    """Of the small chain."""
    return Snapshot.of(chain().states[height], chain().decided(height))


def _valid(height: int) -> dict[str, Any]:
    state = chain().states[height]
    return {
        "height": height,
        "tip": state.tip.hex(),
        "time_ms": state.time_ms,
        "size": state.frontier.size,
        "root": state.frontier.root().hex(),
        "state_root": state.registry.hash.hex(),
        "next_validators": state.registry.validators.hash.hex(),
        "hex": snapshot(height).encode().hex(),
    }


def _invalid() -> Iterator[tuple[str, int, bytes]]:
    yield from _other_form(snapshot(3).encode())
    yield from _other_decision(snapshot(3))
    yield from _other_state(snapshot(3))


def _other_form(good: bytes) -> Iterator[tuple[str, int, bytes]]:
    value: Any = canonical.decode(good)
    version, decided, registry, peaks = value
    yield "nothing", 1, b""
    yield "cut short", 1, good[:-1]
    yield "one byte more", 1, good + b"\0"
    yield "not a list", 1, canonical.encode({"snapshot": good})
    yield "a field more", 1, canonical.encode([*value, b""])
    yield "another version", 1, canonical.encode([1, decided, registry, peaks])
    yield "version true", 1, canonical.encode([True, decided, registry, peaks])
    yield "registry in place", 1, canonical.encode([version, decided, canonical.decode(registry), peaks])
    yield "peaks as a list", 1, canonical.encode([version, decided, registry, [peaks[:32], peaks[32:]]])
    yield "a peak missing", 1, canonical.encode([version, decided, registry, peaks[:-32]])
    yield "a peak more", 1, canonical.encode([version, decided, registry, peaks + peaks[:32]])
    yield "a cut peak", 1, canonical.encode([version, decided, registry, peaks[:-1]])
    yield "no handovers", 1, canonical.encode([version, decided[:2], registry, peaks])
    header = [version, [canonical.decode(decided[0]), *decided[1:]], registry, peaks]
    yield "header in place", 1, canonical.encode(header)


def _other_decision(good: Snapshot) -> Iterator[tuple[str, int, bytes]]:
    consortium, decided = chain().consortium, good.decided
    (handover,) = decided.handovers

    def data(**changes: Any) -> bytes:
        return replace(good, decided=replace(decided, **changes)).encode()

    def renamed(**changes: Any) -> Header:
        return replace(decided.header, **changes)

    yield "another ledger", 2, data(header=renamed(genesis=Hash(digest("another genesis"))))
    first = chain().decisions[0]
    yield "handover with another certificate", 3, data(handovers=(replace(handover, certificate=first.certificate),))
    yield "handover twice", 3, data(handovers=(handover, handover))
    old = consortium.genesis.registry.validators
    yield "handover to another set", 3, data(handovers=(replace(handover, validators=old),))
    yield "handovers left out", 4, data(handovers=())
    validators = chain().states[2].registry.validators
    few = consortium.certify(decided.header, validators, signers=[each.key for each in validators.validators][:2])
    yield "too few seals", 4, data(certificate=few)
    yield "seals of the old set", 4, data(certificate=consortium.certify(decided.header, old))
    yield "certificate of another block", 4, data(certificate=first.certificate)
    yield "a height that nobody decided", 4, data(header=renamed(height=1_000_000))
    yield "another tree root", 4, data(header=renamed(tree_root=Hash(digest("another root"))))
    yield "another state root", 4, data(header=renamed(state_root=snapshot(1).decided.header.state_root))


def _other_state(good: Snapshot) -> Iterator[tuple[str, int, bytes]]:
    yield "no registry", 5, replace(good, registry=b"").encode()
    yield "the registry of genesis", 5, replace(good, registry=snapshot(1).registry).encode()
    peaks = good.frontier.peaks
    yield "swapped peaks", 6, replace(good, frontier=Frontier(good.frontier.size, peaks[::-1])).encode()
    other = (*peaks[:-1], Hash(digest("another peak")))
    yield "another peak", 6, replace(good, frontier=Frontier(good.frontier.size, other)).encode()
    yield "next validators that the registry does not make", 5, _certified_contradiction(good)


def _certified_contradiction(good: Snapshot) -> bytes:
    """Certified by a quorum, and wrong all the same."""
    header = replace(good.decided.header, next_validators=Hash(digest("another set")))
    certificate = chain().consortium.certify(header, chain().states[2].registry.validators)
    return replace(good, decided=DecidedHeader(header, certificate, good.decided.handovers)).encode()
