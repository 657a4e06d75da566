"""messages.json: what validators say to one another about heights 1 and 2 of the chain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.support.consortium import digest
from tests.vectors.chain import chain

from notarium_consensus.messages import Message, Proposal, RoundChange, Signed, encode_message
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import (
    RoundChangeStatement,
    SignedRoundChange,
    StatementKind,
    Vote,
    VoteStatement,
    round_change_bytes,
    vote_bytes,
)
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.encoding import canonical
from notarium_ledger.types import Hash, Height, PublicKey, Round, Signature


def document() -> dict[str, Any]:
    """The file's content."""
    return {
        "about": "Consensus messages of the ledger of genesis.json. Invalid ones are rejected with `field`, for their "
        "form alone; a later version's are ignored.",
        "genesis": chain().consortium.genesis.hash.hex(),
        "validators": _set().hash.hex(),
        "valid": [_shown(name, message) for name, message in messages().items()],
        "invalid": [{"name": name, "field": field, "hex": data.hex()} for name, field, data in _invalid()],
        "later": [{"name": name, "hex": data.hex()} for name, data in later().items()],
    }


def messages() -> dict[str, Message]:
    """Each kind, in each of its shapes."""
    first, second = (decision.block for decision in chain().decisions[:2])
    prepares = tuple(_vote(number, StatementKind.PREPARE, 1, 0, first.hash) for number in range(3))
    locked = tuple(_change(number, 1, 1, first.hash if number else None) for number in range(3))
    free = tuple(_change(number, 2, 1) for number in range(3))
    return {
        "proposal": _proposal(0, first),
        "proposal of round 1, nothing prepared": _proposal(1, second, free),
        "proposal of round 1, prepared in round 0": _proposal(1, first, locked, prepares),
        "prepare": prepares[0],
        "prepare, greatest height and round": _vote(1, StatementKind.PREPARE, 2**63 - 1, 2**32 - 1, first.hash),
        "commit": _vote(2, StatementKind.COMMIT, 2, 1, second.hash),
        "round change, nothing prepared": RoundChange(free[0], None, ()),
        "round change, prepared in round 0": RoundChange(locked[1], first, prepares),
        "round change, prepared in round 0, without the block": RoundChange(locked[1], None, prepares),
    }


def later() -> dict[str, bytes]:
    """What this version does not read, and does not punish."""
    value: Any = canonical.decode(encode_message(messages()["prepare"]))
    return {
        "version 2": canonical.encode([2, *value[1:]]),
        "version 2 of another shape": canonical.encode([2, "hello"]),
    }


def _set() -> ValidatorSet:
    return chain().consortium.genesis.registry.validators


def _sign(key: PublicKey, message: bytes) -> Signature:
    return chain().consortium.keys_by_public[key].sign(message)


def _key(number: int) -> PublicKey:
    """In ascending order, as lists of signers are."""
    return sorted(each.key for each in _set().validators)[number]


def _vote(number: int, type_: StatementKind, height: int, round_: int, block: Hash) -> Vote:
    at = Height(height), Round(round_)
    signed = vote_bytes(type_, chain().consortium.genesis.hash, _set().hash, *at, block)
    return Vote(VoteStatement(type_, *at, block), _key(number), _sign(_key(number), signed))


def _change(number: int, height: int, round_: int, block: Hash | None = None) -> SignedRoundChange:
    prepared = None if block is None else (Round(0), block)
    at = Height(height), Round(round_)
    signed = round_change_bytes(chain().consortium.genesis.hash, _set().hash, *at, prepared)
    return SignedRoundChange(RoundChangeStatement(*at, prepared), _key(number), _sign(_key(number), signed))


def _proposal(
    round_: int, block: Block, changes: tuple[SignedRoundChange, ...] = (), prepares: tuple[Vote, ...] = ()
) -> Proposal:
    height, round_ = block.header.height, Round(round_)
    key = _set().proposer(height, round_)
    signed = vote_bytes(
        StatementKind.PROPOSAL, chain().consortium.genesis.hash, _set().hash, height, round_, block.hash
    )
    return Proposal(height, round_, block, changes, prepares, key, _sign(key, signed))


def inside(message: Message) -> tuple[Signed, ...]:
    """The statements of others that it brings along."""
    if isinstance(message, Proposal):
        return (*message.round_changes, *message.prepares)
    return message.prepares if isinstance(message, RoundChange) else ()


def _shown(name: str, message: Message) -> dict[str, Any]:
    return {
        "name": name,
        "kind": message.kind.name,
        "height": str(message.height),
        "round": message.round,
        "key": message.key.hex(),
        "signed": message.statement.signed_bytes(chain().consortium.genesis.hash, _set().hash).hex(),
        "signature": message.signature.hex(),
        "inside": len(inside(message)),
        "hex": encode_message(message).hex(),
    }


def _changed(value: Any, *path: int, to: Any) -> bytes:
    """`value` with another item at `path`, encoded."""

    def put(inner: Any, steps: tuple[int, ...]) -> Any:
        at, rest = steps[0], steps[1:]
        return [*inner[:at], put(inner[at], rest) if rest else to, *inner[at + 1 :]]

    return canonical.encode(put(value, path))


def _invalid() -> Iterator[tuple[str, str, bytes]]:
    known = {name: canonical.decode(encode_message(message)) for name, message in messages().items()}
    vote: Any = known["prepare"]
    yield "nothing", "", b""
    yield "trailing byte", "", canonical.encode(vote) + b"\0"
    yield "a map", "message", canonical.encode({})
    yield "an empty list", "message", canonical.encode([])
    yield "version 0", "message.version", _changed(vote, 0, to=0)
    yield "version true", "message.version", _changed(vote, 0, to=True)
    yield "version as text", "message.version", _changed(vote, 0, to="1")
    yield "kind 0", "message.kind", _changed(vote, 1, to=0)
    yield "kind 5", "message.kind", _changed(vote, 1, to=5)
    yield "kind true", "message.kind", _changed(vote, 1, to=True)
    yield from _invalid_votes(vote)
    yield from _invalid_proposals(known["proposal of round 1, prepared in round 0"])
    yield from _invalid_changes(known["round change, prepared in round 0"])


def _invalid_votes(good: Any) -> Iterator[tuple[str, str, bytes]]:
    yield "prepare without its signature", "vote", canonical.encode(good[:-1])
    yield "prepare with a field more", "vote", canonical.encode([*good, 0])
    yield "prepare of height 0", "vote.height", _changed(good, 2, to=0)
    yield "prepare of height 2^63", "vote.height", _changed(good, 2, to=2**63)
    yield "prepare of height true", "vote.height", _changed(good, 2, to=True)
    yield "prepare of round -1", "vote.round", _changed(good, 3, to=-1)
    yield "prepare of round 2^32", "vote.round", _changed(good, 3, to=2**32)
    yield "prepare of a short hash", "vote.block_hash", _changed(good, 4, to=good[4][:31])
    yield "prepare of a hash in hex", "vote.block_hash", _changed(good, 4, to=good[4].hex())
    yield "prepare with a short key", "vote.key", _changed(good, 5, to=good[5][:31])
    yield "prepare with a short signature", "vote.signature", _changed(good, 6, to=good[6][:63])


def _invalid_proposals(good: Any) -> Iterator[tuple[str, str, bytes]]:
    yield "proposal without its signature", "proposal", canonical.encode(good[:-1])
    yield "proposal of height 0", "proposal.height", _changed(good, 2, to=0)
    yield "proposal of round 2^32", "proposal.round", _changed(good, 3, to=2**32)
    yield "proposal without a block", "proposal.block", _changed(good, 4, to=None)
    yield "proposal of a hash", "proposal.block", _changed(good, 4, to=digest("block"))
    yield "proposal of a cut header", "proposal.block.header", _changed(good, 4, 0, to=good[4][0][:-1])
    yield "round changes as a map", "proposal.round_changes", _changed(good, 5, to={})
    yield "101 round changes", "proposal.round_changes", _changed(good, 5, to=good[5][:1] * 101)
    yield "a round change with a field more", "proposal.round_changes[1]", _changed(good, 5, 1, to=[*good[5][1], 0])
    yield "half a prepared round", "proposal.round_changes[1].prepared", _changed(good, 5, 1, 2, to=[0])
    yield "prepared in round -1", "proposal.round_changes[1].prepared.round", _changed(good, 5, 1, 2, 0, to=-1)
    yield "prepared a short hash", "proposal.round_changes[1].prepared.hash", _changed(good, 5, 1, 2, 1, to=b"block")
    yield "prepares nil", "proposal.prepares", _changed(good, 6, to=None)
    yield "101 prepares", "proposal.prepares", _changed(good, 6, to=good[6][:1] * 101)
    yield "a vote of type 4 among the prepares", "proposal.prepares[2].type", _changed(good, 6, 2, 0, to=4)
    yield "proposal with a short key", "proposal.key", _changed(good, 7, to=good[7][:31])
    yield "proposal with a long signature", "proposal.signature", _changed(good, 8, to=good[8] + b"\0")


def _invalid_changes(good: Any) -> Iterator[tuple[str, str, bytes]]:
    yield "round change without prepares", "round_change", canonical.encode(good[:-1])
    yield "round change unsigned", "round_change.signed", _changed(good, 2, to=good[2][:-1])
    yield "round change of height 0", "round_change.signed.height", _changed(good, 2, 0, to=0)
    yield "round change of round 2^32", "round_change.signed.round", _changed(good, 2, 1, to=2**32)
    yield "round change with a prepared hash for a block", "round_change.block", _changed(good, 3, to=good[2][2][1])
    yield "round change with prepares nil", "round_change.prepares", _changed(good, 4, to=None)
