"""Admission: from bytes that anyone may have sent to verified entries in the mempool.

The cheap checks come first (size, form, schema, permission), then the signature, then the one look-up in the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from notarium_ledger.entries.entry import Entry, decode_entry, signed_message
from notarium_ledger.errors import EntryOfLaterVersion, InvalidEntry, QuotaExceeded
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.state.chain_state import ChainState, check_admissible
from notarium_ledger.state.quota import Tally
from notarium_ledger.state.records import Parameters
from notarium_ledger.types import Hash, Height, PublicKey
from notarium_node.entries.mempool import Mempool, MempoolFull
from notarium_node.entries.quotas import Quotas
from notarium_node.entries.turns import Queued
from notarium_node.entries.verifier import Check, Verifier

SLICE = 128
SLICE_BYTES = 128 * 1024
"""What is screened in one turn of the event loop: 2 to 5 ms."""
FIRST = 16
"""Signatures of a batch that are checked before the rest of it is read."""


AnyError = TypeVar("AnyError", InvalidEntry, MempoolFull)

AskQuota = Callable[[Parameters, Sequence[Entry], int], QuotaExceeded | None]


class Source(StrEnum):
    """Where an entry comes from."""

    CLIENT = "client"
    PEER = "peer"
    """Which has sent it to all validators."""


class AdmissionStatus(StrEnum):
    """The outcome for a submitted entry."""

    FRESH = "fresh"
    """It is verified and new, and waits in the mempool now."""
    PENDING = "pending"
    """It waited in the mempool already, or came earlier in the same request."""
    DECIDED = "decided"
    """It is in the log already."""
    REFUSED = "refused"
    """No honest validator takes it (by its form, signature or author), or none takes it now (by the state)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer for one submitted entry."""

    id: Hash
    status: AdmissionStatus
    entry: Entry | None = None
    error: InvalidEntry | None = None
    malicious: bool = False
    """Refused for a reason that no honest node overlooks, at any height."""


class Admission:
    """Checks entries and puts them into the mempool; each distinct entry is verified once."""

    def __init__(
        self,
        state: Callable[[], ChainState],
        is_decided: Callable[[Hash], bool],
        mempool: Mempool,
        verifier: Verifier,
        on_fresh: Callable[[Sequence[Entry], Source], None],
        clock: Callable[[], int],
    ) -> None:
        """`on_fresh`: called with the entries that entered the mempool together. `clock`: milliseconds since 1970."""
        self._clock = clock
        self._quotas = Quotas()
        self._state = state
        self._is_decided = is_decided
        self._mempool = mempool
        self._verifier = verifier
        self._on_fresh = on_fresh
        self._under_way: dict[asyncio.Future[None], None] = {}

    async def admit(self, raws: Sequence[bytes], all_or_none: bool = False) -> list[Outcome]:
        """Admit a client's entries; the outcomes are in the order of `raws`. Raises MempoolFull if one has no room.

        With `all_or_none`, no entry enters the mempool if one is refused or has no room. If one is refused, the
        outcomes of those behind it may be missing.
        """
        outcomes, full = await self._admit(raws, Source.CLIENT, all_or_none)
        try:
            if full is not None:
                raise full
        finally:
            del full  # With its traceback it would hold this frame, and that the error: see _bare.
        return outcomes

    async def admit_what_fits(self, raws: Sequence[bytes]) -> tuple[list[Outcome], MempoolFull | None]:
        """Admit a peer's entries. If one has no room, the outcomes of all are returned, with the error.

        Entries that had no room are then FRESH, too.
        """
        done = asyncio.get_running_loop().create_future()
        self._under_way[done] = None
        try:
            return await self._admit(raws, Source.PEER, all_or_none=False)
        finally:
            del self._under_way[done]
            done.set_result(None)

    async def under_way(self) -> None:
        """Wait until all admissions of peers' entries that run now have ended."""
        if self._under_way:
            await asyncio.wait(list(self._under_way))

    async def _admit(
        self, raws: Sequence[bytes], source: Source, all_or_none: bool
    ) -> tuple[list[Outcome], MempoolFull | None]:
        outcomes: list[Outcome] = []
        waiting: list[tuple[int, Check]] = []
        arrived: dict[Hash, Entry] = {}
        height = self._state().height
        for part in _slices(raws):
            start = len(outcomes)
            if start:
                await asyncio.sleep(0)  # Votes must not wait for a long batch.
            self._screen(part, outcomes, waiting, arrived)
            if all_or_none:
                if source is Source.CLIENT and self._refuse_above_quota(outcomes, start):
                    return outcomes, None
                # Junk is found early: whoever has no key signs none of the first.
                if not start and waiting:
                    await self._check_signatures(outcomes, waiting[:FIRST])
                if any(each.status is AdmissionStatus.REFUSED for each in outcomes[start:]):
                    return outcomes, None
                # Who floods is refused before the rest of his batch costs anything.
                if len(part) < len(raws) and (full := self._no_room(outcomes[start:])) is not None:
                    return outcomes, full
        if all_or_none and len(waiting) > FIRST and (full := self._no_room(outcomes)) is not None:
            return outcomes, full
        if waiting:
            await self._check_signatures(outcomes, waiting)
        full = None
        if not (all_or_none and any(each.status is AdmissionStatus.REFUSED for each in outcomes)):
            added, full = self._insert(outcomes, height, source, all_or_none)
            if added:
                self._on_fresh(added, source)
        return outcomes, full

    async def verify(self, entries: Sequence[Entry]) -> None:
        """Verify the signatures of a block's entries. The block's check decides whether they are permitted.

        Raises InvalidEntry for the first that is wrongly signed.
        """
        genesis = self._state().genesis
        checks = [_check(entry, genesis) for entry in entries]
        valid = await self._verifier.check(checks)
        for check in checks:
            if not valid[check]:
                raise InvalidEntry("signature is not valid for this key, body and ledger", "sig")

    def _screen(
        self,
        raws: Sequence[bytes],
        outcomes: list[Outcome],
        waiting: list[tuple[int, Check]],
        arrived: dict[Hash, Entry],
    ) -> None:
        """All checks without signatures, for the next few entries. `arrived`: what is fresh in this request so far."""
        state, now_ms = self._state(), self._clock()
        for raw in raws:
            id_ = leaf_hash(raw)
            known = self._mempool.get(id_) or arrived.get(id_)  # A copy needs no room and counts for no quota.
            if known is not None:
                outcomes.append(Outcome(id_, AdmissionStatus.PENDING, known))
                continue
            if self._is_decided(id_):
                outcomes.append(Outcome(id_, AdmissionStatus.DECIDED))
                continue
            try:
                # check_admissible applies the consortium's limit: a node that is ahead or behind may know another one.
                entry = decode_entry(raw, id_=id_)
                check = _check(entry, state.genesis)
            except InvalidEntry as error:
                is_later = isinstance(error, EntryOfLaterVersion)  # Nodes that were upgraded already pass these on.
                outcomes.append(_refused(id_, error, malicious=not is_later))
                continue
            try:
                check_admissible(state, entry, now_ms)
            except InvalidEntry as error:
                outcomes.append(_refused(id_, error))
                continue
            arrived[id_] = entry
            waiting.append((len(outcomes), check))
            outcomes.append(Outcome(id_, AdmissionStatus.FRESH, entry))

    def _no_room(self, outcomes: Sequence[Outcome]) -> MempoolFull | None:
        """Why these have no room together, if so."""
        try:
            self._mempool.room_for(each for each in map(_fresh, outcomes) if each is not None)
        except MempoolFull as error:
            return _bare(error)
        return None

    async def _check_signatures(self, outcomes: list[Outcome], waiting: list[tuple[int, Check]]) -> None:
        valid = await self._verifier.check([check for _, check in waiting])
        for position, check in waiting:
            if not valid[check]:
                error = InvalidEntry("signature is not valid for this key, body and ledger", "sig")
                outcomes[position] = Outcome(
                    outcomes[position].id, AdmissionStatus.REFUSED, error=error, malicious=True
                )

    def _insert(
        self, outcomes: list[Outcome], screened_at: Height, source: Source, all_or_none: bool
    ) -> tuple[list[Entry], MempoolFull | None]:
        """The last step, without an await: find what was decided meanwhile, and add what is new.

        Returns what was added, and why something has no room, if so.
        """
        fresh: list[tuple[int, Entry]] = []
        moved = self._state().height != screened_at
        looks_again = moved and len(outcomes) <= SLICE  # Of more, a proposer removes what is invalid by then.
        for position, outcome in enumerate(outcomes):
            entry = outcome.entry
            if outcome.status is not AdmissionStatus.FRESH or entry is None:
                continue
            if entry.id in self._mempool:
                outcomes[position] = Outcome(entry.id, AdmissionStatus.PENDING, entry)
            elif moved and self._is_decided(entry.id):
                outcomes[position] = Outcome(entry.id, AdmissionStatus.DECIDED)
            elif looks_again and (error := _inadmissible(self._state(), entry, self._clock())) is not None:
                outcomes[position] = Outcome(entry.id, AdmissionStatus.REFUSED, error=error)
            else:
                fresh.append((position, entry))
        full: MempoolFull | None = None
        arriving: list[Queued] = []
        try:
            arriving = self._mempool.room_for(entry for _, entry in fresh)
        except MempoolFull as error:
            full = _bare(error)
            if all_or_none:
                return [], full
        if source is Source.CLIENT and self._take_quota(outcomes, all_or_none):
            if all_or_none:
                return [], None
            refused = {each.id for each in outcomes if each.status is AdmissionStatus.REFUSED}
            fresh = [(position, entry) for position, entry in fresh if entry.id not in refused]
            arriving = [each for each in arriving if each.entry.id not in refused]
        if full is None:
            self._mempool.put(arriving)
            return [entry for _, entry in fresh], None
        return self._insert_what_fits([entry for _, entry in fresh])

    def _insert_what_fits(self, entries: Sequence[Entry]) -> tuple[list[Entry], MempoolFull | None]:
        """Entries of one class must not keep out those of another that came in the same message."""
        full: MempoolFull | None = None
        added: list[Entry] = []
        for entry in entries:
            try:
                self._mempool.add(entry)
            except MempoolFull as error:
                full = _bare(error)
            else:
                added.append(entry)
        return added, full

    def _refuse_above_quota(self, outcomes: list[Outcome], start: int) -> bool:
        """Refuse what is fresh, from `start` on, and more than its key or member may submit; whether there is any."""
        return self._ask_quotas(outcomes, start, self._quotas.refusal)[0]

    def _take_quota(self, outcomes: list[Outcome], all_or_none: bool) -> bool:
        """The same for all outcomes; what is not refused is counted, unless all of it is refused with the rest."""
        has_refused, taken = self._ask_quotas(outcomes, 0, self._quotas.take)
        if has_refused and all_or_none:
            # Otherwise a colleague could use up a key's quota with one entry of it, in batches that are refused.
            for entries in taken:
                self._quotas.give_back(entries)
        return has_refused

    def _ask_quotas(self, outcomes: list[Outcome], start: int, ask: AskQuota) -> tuple[bool, list[list[Entry]]]:
        """Whether something was refused, and what was not, by key."""
        state, now_ms = self._state(), self._clock()
        of_key: dict[tuple[PublicKey, object], list[tuple[int, Entry]]] = {}
        day, has_refused = Tally(state.registry, now_ms), False
        for position in range(start, len(outcomes)):
            entry = _fresh(outcomes[position])
            if entry is None:
                continue
            try:
                day.add(entry)  # Each may fit into its member's day alone, and not all of them.
            except QuotaExceeded as error:
                has_refused = True
                outcomes[position] = _refused(entry.id, error)
                continue
            of_key.setdefault((entry.key, entry.body.get("issuer")), []).append((position, entry))
        passed: list[list[Entry]] = []
        for group in of_key.values():
            entries = [entry for _, entry in group]
            refusal = ask(state.registry.parameters, entries, now_ms)
            if refusal is None:
                passed.append(entries)
                continue
            has_refused = True
            for position, entry in group:
                outcomes[position] = Outcome(entry.id, AdmissionStatus.REFUSED, error=refusal)
        return has_refused, passed


def _refused(id_: Hash, error: InvalidEntry, malicious: bool = False) -> Outcome:
    return Outcome(id_, AdmissionStatus.REFUSED, error=_bare(error), malicious=malicious)


def _bare(error: AnyError) -> AnyError:
    """`error` without the frames that it came from, which hold it and all entries.

    Such a cycle would last until the next garbage collection, for which a node may wait for hours.
    """
    error.__traceback__ = error.__context__ = error.__cause__ = None
    return error


def _slices(raws: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    start, size = 0, 0
    for position, raw in enumerate(raws):
        if position > start and (position - start == SLICE or size + len(raw) > SLICE_BYTES):
            yield raws[start:position]
            start, size = position, 0
        size += len(raw)
    yield raws[start:]


def _fresh(outcome: Outcome) -> Entry | None:
    return outcome.entry if outcome.status is AdmissionStatus.FRESH else None


def _inadmissible(state: ChainState, entry: Entry, now_ms: int) -> InvalidEntry | None:
    try:
        check_admissible(state, entry, now_ms)
    except InvalidEntry as error:
        return _bare(error)
    return None


def _check(entry: Entry, genesis: Hash) -> Check:
    return entry.key, signed_message(entry, genesis), entry.signature
