"""From fetched bytes to stored blocks: the certificates of a group are checked while the one before it is applied.

    step            what is checked                                             where
    1  form         each item is a decision of the next height                  event loop, in slices
    2  link         parent, ledger and validator set are those before it        event loop
    3  certificate  Q commits of distinct validators, each signature            worker threads, a group ahead
    4  signatures   of the entries' authors, if the line requires it             worker threads
    5  content      applying the entries makes the header: log root, registry   event loop, in slices

A group is written with one fsync. It ends where the validator set changes, because the validators that certify the next
block are known only after that block is applied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from notarium_ledger.blocks.block import Decision
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.entries.entry import Entry, decode_entry, signed_message
from notarium_ledger.errors import InvalidBlock, InvalidCertificate, InvalidEntry, LedgerError
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.state.chain_state import ChainState, apply_block
from notarium_ledger.types import Hash
from notarium_node.catchup.fetching import Fetched
from notarium_node.entries.verifier import Verifier
from notarium_store.store import Part

GROUP_BLOCKS = 128
GROUP_BYTES = 512 * 1024
"""A group ends with the block that passes this size."""
SLICE = 400
"""Entries decoded or applied between two turns of the event loop, 2 to 4 ms."""
BLOCK_COST = 12
"""The cost of a block itself, in entries."""


class Lie(Exception):
    """A peer delivered something else than the ledger decided."""


class TwoHistories(Exception):
    """The others continue from another block than this node's, and both are certified. The message names the remedy."""


class CannotFollow(Exception):
    """A quorum certified a block that this software's rules refuse. The message names the remedy."""


class Line(Protocol):
    """A run of blocks that grows: the live chain, or the history."""

    checks_signatures: bool
    """Whether the authors' signatures are verified besides the certificates."""

    @property
    def state(self) -> ChainState:
        """The state that its next block builds on."""

    def known(self, raw: bytes) -> Entry | None:
        """An entry whose signature was verified already."""

    def is_decided(self, id_: Hash) -> bool:
        """Whether an entry is in the log before the next block."""

    def store(self, parts: Sequence[Part]) -> bool:
        """Store them. False if that is not possible now."""


class Turns:
    """Returns to the event loop after each slice of work."""

    def __init__(self) -> None:
        self._spent = 0

    async def spend(self, cost: int) -> None:
        """`cost`: in entries."""
        self._spent += cost
        if self._spent >= SLICE:
            self._spent = 0
            await asyncio.sleep(0)


class Replayer:
    """Checks and stores blocks; keeps nothing between two calls."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier

    async def extend(self, line: Line, fetched: Fetched) -> bool:
        """Check and store blocks that follow `line`, except those that it has by now.

        False if the store does not take them now. Raises Lie, TwoHistories or CannotFollow.
        """
        state = line.state
        decisions = [each for each in await _decode(fetched.items) if each.height > state.height]
        if decisions:
            _check_fork(decisions[0], state)
        groups = list(_groups(decisions))
        ahead: asyncio.Task[None] | None = None
        try:
            for number, group in enumerate(groups):
                # Consensus may have decided some of them meanwhile; the state is then the one after those.
                left = [each for each in group if each.height > state.height]
                await (ahead or self._certify(left, state.height, state.tip, state.registry.validators, state.genesis))
                ahead = None
                if not left:
                    continue
                last = left[-1].block.header
                if number + 1 < len(groups) and last.next_validators == last.validators:
                    following = self._certify(
                        groups[number + 1], last.height, last.hash, state.registry.validators, state.genesis
                    )
                    ahead = asyncio.create_task(following)
                try:
                    entries = await self._read(line, left, state.genesis)
                    parts = await _apply(line, state, left, entries)
                except Lie as lie:
                    _check_truth(left, state, lie)
                    raise
                if parts and not line.store(parts):
                    return False
                state = parts[-1][1].state if parts else line.state
        finally:
            if ahead is not None:
                ahead.cancel()
        return True

    async def _certify(
        self, group: Sequence[Decision], height: int, tip: Hash, validators: ValidatorSet, genesis: Hash
    ) -> None:
        """Steps 2 and 3, after the block `tip` of `height`."""
        jobs: list[Callable[[], None]] = []
        for decision in group:
            header = decision.block.header
            height += 1
            if header.height != height:
                raise Lie(f"it sent block {header.height} where {height} comes next")
            if (header.genesis, header.parent, header.validators) != (genesis, tip, validators.hash):
                raise Lie(f"block {height} does not build on the block before it")
            jobs.append(_job(decision, genesis, validators))
            tip = header.hash
        try:
            await self._verifier.run(jobs, len(validators))
        except InvalidCertificate as error:
            raise Lie(f"a certificate is not valid: {error}") from error

    async def _read(self, line: Line, group: Sequence[Decision], genesis: Hash) -> dict[bytes, Entry]:
        """Step 4: the entries of these blocks by their bytes."""
        entries: dict[bytes, Entry] = {}
        fresh: list[Entry] = []
        turns = Turns()
        try:
            for decision in group:
                for raw in decision.block.entries:
                    entry = line.known(raw)
                    if entry is None:
                        # Applying it checks its length: this ledger's limit may change on the way.
                        entry = decode_entry(raw)
                        fresh.append(entry)
                    entries[raw] = entry
                    await turns.spend(1)
            if line.checks_signatures and fresh:
                await self._check_signatures(fresh, genesis, turns)
        except InvalidEntry as error:
            raise Lie(f"an entry is not valid: {error}") from error
        return entries

    async def _check_signatures(self, entries: Sequence[Entry], genesis: Hash, turns: Turns) -> None:
        checks = []
        for entry in entries:
            checks.append((entry.key, signed_message(entry, genesis), entry.signature))
            await turns.spend(1)
        valid = await self._verifier.check(checks)
        for entry, check in zip(entries, checks, strict=True):
            if not valid[check]:
                raise InvalidEntry(f"the signature of {entry.id.hex()} is not valid", "sig")


def _check_fork(decision: Decision, state: ChainState) -> None:
    """A certified block on another parent than this node's tip is no lie of its sender: all would send it."""
    header, validators = decision.block.header, state.registry.validators
    if header.height != state.height + 1 or header.parent == state.tip or header.validators != validators.hash:
        return
    try:
        decision.certificate.verify(state.genesis, validators, header.height, header.hash)
    except InvalidCertificate:
        return  # A lie after all: the next check finds it.
    raise TwoHistories(
        f"block {header.height}, which a quorum certified, builds on block {state.height} {header.parent.hex()}, but "
        f"this node has {state.tip.hex()} there, also certified: more than a third of the validators certified two "
        "histories, or the only validator continued from an old backup. Agree with the other members which history "
        "counts. If it is not this node's, move its store away and let it fetch the chain again"
    )


def _check_truth(group: Sequence[Decision], state: ChainState, reason: Lie) -> None:
    """Certified headers bind their entries: a peer that sent exactly those entries is no liar, valid or not."""
    frontier = state.frontier
    for each in group:
        frontier, _ = frontier.extend(leaf_hash(raw) for raw in each.block.entries)
        header = each.block.header
        # Each block by itself: an entry moved from one block to the next leaves the tree after both unchanged.
        if (frontier.size, frontier.root()) != (header.tree_size, header.tree_root):
            return
    raise CannotFollow(
        f"blocks {group[0].height} to {group[-1].height}, which a quorum certified, are not valid for this software: "
        f"{reason}. Most likely the others run a later version: upgrade this node. If it is up to date, more than "
        "a third of the validators certified invalid blocks: report this to the other members"
    ) from reason


async def _decode(items: Iterable[bytes]) -> list[Decision]:
    """Step 1."""
    decisions, turns = [], Turns()
    try:
        for item in items:
            decision = Decision.decode(item)
            decisions.append(decision)
            await turns.spend(BLOCK_COST + len(decision.block.entries) // 10)
    except LedgerError as error:
        raise Lie(f"it sent something that is not a decision: {error}") from error
    return decisions


async def _apply(line: Line, state: ChainState, group: Sequence[Decision], entries: dict[bytes, Entry]) -> list[Part]:
    """Step 5, without the blocks that consensus decides meanwhile."""
    parts: list[Part] = []
    seen: set[Hash] = set()
    turns = Turns()
    for decision in group:
        if line.state.height > state.height:
            state, parts = line.state, []
        if decision.height <= state.height:
            continue
        try:
            transition = apply_block(
                state, decision.block, lambda id_: id_ in seen or line.is_decided(id_), entries.__getitem__
            )
        except InvalidBlock as error:
            raise Lie(f"block {decision.height}: {error}") from error
        seen.update(entry.id for entry in transition.entries)
        parts.append((decision, transition))
        state = transition.state
        await turns.spend(BLOCK_COST + len(transition.entries))
    return parts


def _groups(decisions: Iterable[Decision]) -> Iterable[list[Decision]]:
    group: list[Decision] = []
    size = 0
    for decision in decisions:
        group.append(decision)
        size += sum(map(len, decision.block.entries))
        header = decision.block.header
        if len(group) == GROUP_BLOCKS or size > GROUP_BYTES or header.next_validators != header.validators:
            yield group
            group, size = [], 0
    if group:
        yield group


def _job(decision: Decision, genesis: Hash, validators: ValidatorSet) -> Callable[[], None]:
    return lambda: decision.certificate.verify(genesis, validators, decision.height, decision.block.hash)
