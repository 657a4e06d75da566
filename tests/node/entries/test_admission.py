"""Admission: what becomes of each entry, and at what cost."""

import asyncio
import contextlib
import gc
import tracemalloc
from dataclasses import replace

import pytest
from tests.support.consortium import Consortium, key

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import decode_entry, sign_batch, sign_entry
from notarium_ledger.errors import InvalidEntry, QuotaExceeded
from notarium_ledger.state.quota import DAY_MS
from notarium_ledger.state.records import DayUse
from notarium_ledger.types import Hash
from notarium_node.entries import admission as admission_module
from notarium_node.entries.admission import FIRST, Admission, AdmissionStatus, Source
from notarium_node.entries.mempool import Mempool, MempoolFull
from notarium_node.entries.quotas import AT_ONCE_S
from notarium_node.entries.verifier import Verifier


class Bench:
    """An admission over a state that the test moves on."""

    def __init__(self, max_entries=3000):
        self.consortium = Consortium(1, researchers=2)
        self.state = self.consortium.state
        self.decided: set[Hash] = set()
        self.now_ms = 1
        self.mempool = Mempool(max_entries, 1 << 24)
        self.verifier = Verifier(2)
        self.announced: list = []
        self.sources: list = []
        self.admission = Admission(
            lambda: self.state,
            self.decided.__contains__,
            self.mempool,
            self.verifier,
            self._on_fresh,
            lambda: self.now_ms,
        )

    def _on_fresh(self, fresh, source):
        self.announced.append(fresh)
        self.sources.append(source)

    async def admit(self, *raws, **options):
        return await self.admission.admit(list(raws), **options)

    async def one(self, raw):
        return (await self.admit(raw))[0]

    def decide(self, *raws):
        """These are in the log now, and no more in the mempool."""
        entries = [decode_entry(raw) for raw in raws]
        self.state = self.consortium.decide(self.state, entries)[1].state
        self.decided.update(entry.id for entry in entries)
        self.mempool.remove(entry.id for entry in entries)


@pytest.fixture
def bench():
    made = Bench()
    yield made
    made.verifier.close()


async def test_what_became_invalid_while_its_signature_was_checked_does_not_wait(bench, monkeypatch):
    """Nothing would make a block of it, but rounds would run for it on an idle ledger."""
    club = bench.consortium
    late = club.entry()
    revocation = club.entry(club.member_body("revoke", key=bytes(club.researcher.public)))
    check = bench.verifier.check

    async def meanwhile(checks):
        bench.decide(revocation.raw)
        return await check(checks)

    monkeypatch.setattr(bench.verifier, "check", meanwhile)
    [outcome] = await bench.admit(late.raw)
    assert outcome.status is AdmissionStatus.REFUSED
    assert "revoked" in str(outcome.error)
    assert len(bench.mempool) == 0


def _unknown_key(club: Consortium) -> bytes:
    return sign_entry(key("nobody"), club.genesis.hash, club.body())


def _not_an_entry(club: Consortium) -> bytes:
    return club.entry().raw + b"\0"


def _sound(club: Consortium) -> bytes:
    return club.entry().raw


@pytest.mark.parametrize("by_peer", [False, True])
@pytest.mark.parametrize("make", [_unknown_key, _not_an_entry, _sound])
async def test_what_is_refused_is_not_kept_until_garbage_is_collected(make, by_peer):
    """A node at rest may not collect any for hours. The sound ones are refused because the mempool is full."""
    bench = Bench(max_entries=1)
    await bench.one(bench.consortium.entry().raw)
    raws = [make(bench.consortium) for _ in range(16)]

    async def offer():
        copies = [bytes(bytearray(raw)) for raw in raws]
        if by_peer:
            await bench.admission.admit_what_fits(copies)
        else:
            with contextlib.suppress(MempoolFull):
                await bench.admit(*copies, all_or_none=True)

    await offer()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(50):
            await offer()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
        bench.verifier.close()
    assert kept < 50 * sum(map(len, raws)) / 4


async def test_a_fresh_entry_is_announced_with_its_source(bench):
    await bench.one(bench.consortium.entry().raw)
    await bench.admission.admit_what_fits([bench.consortium.entry().raw])
    assert bench.sources == [Source.CLIENT, Source.PEER]


async def test_a_valid_entry_is_fresh_waits_and_is_announced(bench):
    raw = bench.consortium.entry().raw
    outcome = await bench.one(raw)
    assert outcome.status is AdmissionStatus.FRESH
    assert outcome.entry
    assert outcome.entry.raw == raw
    assert [entry.raw for entry in bench.mempool.oldest(9)] == [raw]
    assert [[entry.raw for entry in fresh] for fresh in bench.announced] == [[raw]]


async def test_what_waits_already_costs_no_second_signature_and_is_not_announced_again(bench):
    raw = bench.consortium.entry().raw
    await bench.one(raw)
    assert (await bench.one(raw)).status is AdmissionStatus.PENDING
    assert (bench.verifier.checked, len(bench.announced), len(bench.mempool)) == (1, 1, 1)


async def test_what_is_decided_stays_out(bench):
    raw = bench.consortium.entry().raw
    await bench.one(raw)
    bench.decide(raw)
    assert (await bench.one(raw)).status is AdmissionStatus.DECIDED
    assert (bench.verifier.checked, len(bench.mempool)) == (1, 0)


async def test_what_is_decided_stays_decided_after_its_key_was_revoked(bench):
    writer = bench.consortium.researcher
    raw = bench.consortium.entry().raw
    bench.decide(raw)
    bench.decide(bench.consortium.raw(bench.consortium.member_body("revoke", key=bytes(writer.public))))
    assert (await bench.one(raw)).status is AdmissionStatus.DECIDED
    refused = await bench.one(bench.consortium.raw(bench.consortium.body(), writer))
    assert refused.status is AdmissionStatus.REFUSED
    assert refused.error
    assert (refused.error.field, refused.malicious) == ("key", False)


def forged(bench):
    entry = bench.consortium.entry()
    return canonical.encode([1, entry.body_bytes, bytes(entry.key), b"\x01" * 64])


def foreign(bench):
    return sign_entry(bench.consortium.researcher, Hash(b"f" * 32), bench.consortium.body())


def too_large(bench):
    digests = [{"digest": bytes([number]) * 32, "role": "input", "name": "n" * 250} for number in range(64)]
    return bench.consortium.raw(bench.consortium.body(subjects=digests))


def unknown(bench):
    return bench.consortium.raw(bench.consortium.body(), key("a stranger"))


def wrong_path(bench):
    raws = sign_batch(bench.consortium.researcher, bench.consortium.genesis.hash, [bench.consortium.body()] * 1)
    value = canonical.decode(raws[0])
    assert isinstance(value, list)
    return canonical.encode([*value[:6], [b"\x00" * 32]])


@pytest.mark.parametrize(
    ("make", "field", "malicious"),
    [
        (lambda bench: b"", "entry", True),
        (lambda bench: b"\xc1", "entry", True),
        (forged, "sig", True),
        (foreign, "sig", True),
        (wrong_path, "path", True),
        # A node that is ahead or behind may see these otherwise, so passing them on is no offence.
        (too_large, "entry", False),
        (unknown, "key", False),
    ],
)
async def test_a_refused_entry_names_its_field_and_whether_an_honest_node_could_have_sent_it(
    bench, make, field, malicious
):
    outcome = await bench.one(make(bench))
    assert outcome.status is AdmissionStatus.REFUSED
    assert outcome.error
    assert (outcome.error.field, outcome.malicious) == (field, malicious)
    assert (len(bench.mempool), bench.announced) == (0, [])


async def test_outcomes_are_in_the_order_of_what_was_sent(bench):
    known = bench.consortium.entry().raw
    await bench.one(known)
    good = [bench.consortium.entry().raw for _ in range(400)]
    mixed = [*good[:200], known, b"bad", forged(bench), *good[200:]]
    outcomes = await bench.admit(*mixed)
    expected = (
        [AdmissionStatus.FRESH] * 200
        + [AdmissionStatus.PENDING, AdmissionStatus.REFUSED, AdmissionStatus.REFUSED]
        + [AdmissionStatus.FRESH] * 200
    )
    assert [each.status for each in outcomes] == expected
    assert [entry.raw for entry in bench.mempool.oldest(999)] == [known, *good]


async def test_all_or_none_leaves_nothing_behind_when_one_is_bad(bench):
    good = bench.consortium.entry().raw
    outcomes = await bench.admit(good, forged(bench), all_or_none=True)
    assert [each.status for each in outcomes] == [AdmissionStatus.FRESH, AdmissionStatus.REFUSED]
    assert (len(bench.mempool), bench.announced) == (0, [])


async def test_one_signature_over_a_batch_is_checked_once(bench):
    bodies = [bench.consortium.body() for _ in range(300)]
    raws = sign_batch(bench.consortium.researcher, bench.consortium.genesis.hash, bodies)
    outcomes = await bench.admit(*raws)
    assert {each.status for each in outcomes} == {AdmissionStatus.FRESH}
    assert bench.verifier.checked == 1


async def test_the_same_entry_twice_in_one_batch_is_one(bench):
    raw = bench.consortium.entry().raw
    outcomes = await bench.admit(raw, raw)
    assert AdmissionStatus.REFUSED not in {each.status for each in outcomes}
    assert len(bench.mempool) == 1


async def test_without_room_nothing_of_a_batch_enters():
    bench = Bench(max_entries=48)
    room = 11  # A third of what keys and governance leave.
    await bench.admit(*(bench.consortium.entry().raw for _ in range(room - 2)))
    three = [bench.consortium.entry().raw for _ in range(3)]
    with pytest.raises(MempoolFull):
        await bench.admission.admit(three, all_or_none=True)
    assert len(bench.mempool) == room - 2
    await bench.admission.admit(three[:2], all_or_none=True)
    assert len(bench.mempool) == room
    bench.verifier.close()


async def test_a_flood_without_room_is_refused_before_its_signatures_are_checked():
    bench = Bench(max_entries=48)
    flood = [bench.consortium.entry().raw for _ in range(FIRST + 1)]
    with pytest.raises(MempoolFull):
        await bench.admission.admit(flood, all_or_none=True)
    assert bench.verifier.checked == FIRST
    await bench.admission.admit(flood[:11], all_or_none=True)
    assert len(bench.mempool) == 11
    bench.verifier.close()


async def test_a_slice_is_bounded_in_bytes_too(monkeypatch):
    monkeypatch.setattr(admission_module, "SLICE_BYTES", 10)
    assert list(admission_module._slices([b"12345", b"12345", b"1", b"x" * 99, b"1"])) == [
        [b"12345", b"12345"], [b"1"], [b"x" * 99], [b"1"],
    ]  # fmt: skip
    assert list(admission_module._slices([b"1"])) == [[b"1"]]


async def test_a_block_waits_for_the_admission_of_gossip_and_not_for_that_of_a_clients_batch(bench, monkeypatch):
    may_go = asyncio.Event()
    check = bench.verifier.check

    async def slow(checks):
        await may_go.wait()
        return await check(checks)

    monkeypatch.setattr(bench.verifier, "check", slow)
    two = [bench.consortium.entry().raw for _ in range(2)]
    batch = asyncio.ensure_future(bench.admit(*two))
    await asyncio.sleep(0)
    await bench.admission.under_way()
    gossip = asyncio.ensure_future(bench.admission.admit_what_fits([bench.consortium.entry().raw]))
    await asyncio.sleep(0)
    ended = asyncio.ensure_future(bench.admission.under_way())
    await asyncio.sleep(0)
    assert not ended.done()
    may_go.set()
    await asyncio.gather(batch, gossip, ended)


async def test_of_gossip_enters_what_has_room_whatever_else_came_with_it():
    """A peer sends its entries together: those of a flooding member must not keep out the others."""
    bench = Bench(max_entries=32)
    club = bench.consortium
    enrolments = [club.raw(club.member_body("enrol", key=key(f"x{number}").public)) for number in range(9)]
    research = [club.entry().raw for _ in range(3)]
    action = {"type": "set-parameter", "name": "max_entry_bytes", "value": 2000}
    proposal = club.raw(club.member_body("propose", action=action))
    with pytest.raises(MempoolFull, match=r"3 enrol and revoke entries of the key [0-9a-f]{64} of m0 wait"):
        await bench.admit(*enrolments, *research, proposal)
    assert [entry.raw for entry in bench.mempool.oldest(99)] == [*enrolments[:3], *research, proposal]
    assert [entry.raw for entry in bench.announced[0]] == [*enrolments[:3], *research, proposal]
    bench.verifier.close()


async def test_what_is_decided_while_its_signature_is_checked_does_not_wait_again(bench, monkeypatch):
    raws = [bench.consortium.entry().raw for _ in range(200)]
    check = bench.verifier.check

    async def check_while_the_others_decide(checks):
        verdicts = await check(checks)
        bench.decide(*raws[:50])
        return verdicts

    monkeypatch.setattr(bench.verifier, "check", check_while_the_others_decide)
    outcomes = await bench.admit(*raws)
    assert [each.status for each in outcomes] == [AdmissionStatus.DECIDED] * 50 + [AdmissionStatus.FRESH] * 150
    assert len(bench.mempool) == 150


async def test_two_who_send_the_same_at_once_make_one(bench):
    raws = [bench.consortium.entry().raw for _ in range(200)]
    one, two = await asyncio.gather(bench.admission.admit(raws), bench.admission.admit(raws))
    # Which of the two is through first is the threads' affair.
    for first, second in zip(one, two, strict=True):
        assert {first.status, second.status} == {AdmissionStatus.FRESH, AdmissionStatus.PENDING}
    assert (len(bench.mempool), sum(map(len, bench.announced))) == (200, 200)


async def test_the_signatures_of_a_blocks_content_are_verified(bench):
    entries = [bench.consortium.entry() for _ in range(20)]
    await bench.admission.verify(entries)
    with pytest.raises(InvalidEntry, match="sig: signature is not valid"):
        await bench.admission.verify([*entries, decode_entry(forged(bench))])


def with_parameters(bench, **values):
    registry = bench.state.registry
    bench.state = replace(bench.state, registry=registry.with_parameters(replace(registry.parameters, **values)))


async def test_a_client_that_submits_more_than_its_key_may_is_refused_and_a_peer_is_not(bench):
    with_parameters(bench, max_key_second_entries=1)
    mine = [entry.raw for entry in bench.consortium.entries(AT_ONCE_S + 1)]
    outcomes = await bench.admit(*mine[:AT_ONCE_S], all_or_none=True)
    assert {each.status for each in outcomes} == {AdmissionStatus.FRESH}
    checked = bench.verifier.checked
    [outcome] = await bench.admit(mine[AT_ONCE_S], all_or_none=True)
    assert (outcome.status, outcome.malicious) == (AdmissionStatus.REFUSED, False)
    assert isinstance(outcome.error, QuotaExceeded)
    assert bench.verifier.checked == checked, "a flood costs no signatures"
    assert len(bench.mempool) == AT_ONCE_S
    from_peer, full = await bench.admission.admit_what_fits([mine[AT_ONCE_S]])
    assert (from_peer[0].status, full) == (AdmissionStatus.FRESH, None)


async def test_an_entry_above_its_members_day_is_refused_and_nobody_is_blamed(bench):
    with_parameters(bench, max_member_day_entries=1)
    bench.state = replace(bench.state, registry=bench.state.registry.with_uses({"m0": DayUse(0, entries=1)}))
    (entry,) = bench.consortium.entries(1)
    (from_peer,), _ = await bench.admission.admit_what_fits([entry.raw])
    assert (from_peer.status, from_peer.malicious) == (AdmissionStatus.REFUSED, False)
    bench.now_ms = DAY_MS
    assert (await bench.admit(entry.raw))[0].status is AdmissionStatus.FRESH


async def test_a_copy_of_an_entry_uses_up_nothing(bench):
    """Otherwise a node that was given an entry could use up its author's quota at another node."""
    with_parameters(bench, max_key_day_entries=3, max_key_second_entries=3)
    mine = [entry.raw for entry in bench.consortium.entries(3)]
    outcomes = await bench.admit(*[mine[0]] * 200, all_or_none=True)
    assert [each.status for each in outcomes] == [AdmissionStatus.FRESH] + [AdmissionStatus.PENDING] * 199
    assert [len(each) for each in bench.announced] == [1]
    outcomes = await bench.admit(*mine[1:], all_or_none=True)
    assert {each.status for each in outcomes} == {AdmissionStatus.FRESH}


async def test_a_batch_that_is_refused_uses_up_no_quota_of_others_in_it(bench):
    """A colleague with an entry of another key would send it again and again, with too many of its own."""
    with_parameters(bench, max_key_day_entries=AT_ONCE_S, max_member_second_entries=1)
    club = bench.consortium
    victims = [club.entry() for _ in range(AT_ONCE_S)]
    own = [club.entry(club.body(), club.researcher_keys[1]) for _ in range(AT_ONCE_S)]
    for _ in range(3):
        outcomes = await bench.admit(*[each.raw for each in (victims[0], *own)], all_or_none=True)
        assert AdmissionStatus.REFUSED in {each.status for each in outcomes}
    outcomes = await bench.admit(*[each.raw for each in victims], all_or_none=True)
    assert {each.status for each in outcomes} == {AdmissionStatus.FRESH}


async def test_a_batch_that_does_not_fit_into_its_members_day_is_refused_whole(bench):
    """Otherwise what is above would be taken, and dropped at the next block without a word."""
    with_parameters(bench, max_member_day_entries=10)
    mine = [entry.raw for entry in bench.consortium.entries(11)]
    outcomes = await bench.admit(*mine, all_or_none=True)
    assert isinstance(outcomes[-1].error, QuotaExceeded)
    assert len(bench.mempool) == 0
    outcomes = await bench.admit(*mine[:10], all_or_none=True)
    assert {each.status for each in outcomes} == {AdmissionStatus.FRESH}
