"""A snapshot proves itself from genesis; each lie is named by the step that finds it."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.consortium import Consortium, digest
from tests.support.histories import History, make_history

from notarium_ledger.encoding import canonical
from notarium_ledger.errors import InvalidSnapshot
from notarium_ledger.log.frontier import Frontier
from notarium_ledger.state.registry import Registry, registry_hash
from notarium_ledger.trust.chain import DecidedHeader
from notarium_ledger.trust.snapshot import MAX_REGISTRY_BYTES, MAX_SNAPSHOT_VALUES, Snapshot, is_within_bounds
from notarium_ledger.types import Hash


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return make_history(tmp_path_factory.mktemp("history") / "store")


def test_a_snapshot_of_any_height_makes_the_state_after_it(history: History) -> None:
    for height in range(1, history.tip + 1):
        data = history.snapshot(height).encode()
        snapshot = Snapshot.decode(data)
        assert snapshot == history.snapshot(height)
        assert snapshot.encode() == data
        assert snapshot.height == height
        assert snapshot.verify(history.consortium.genesis) == history.states[height]


def test_what_was_found_valid_is_not_verified_again(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = Snapshot.decode(history.snapshot(3).encode())
    state = snapshot.verify(history.consortium.genesis)
    with pytest.raises(InvalidSnapshot, match="genesis"):
        snapshot.verify(Consortium(4, name="other").genesis)
    with monkeypatch.context() as patch:
        patch.setattr(Registry, "of_records", None)
        assert snapshot.verify(history.consortium.genesis) is state
    with pytest.raises(InvalidSnapshot):
        replace(snapshot, registry=history.snapshot(1).registry).verify(history.consortium.genesis)


def test_the_handovers_after_it_lead_to_the_set_that_signs_the_next_block(history: History) -> None:
    for height in range(1, history.tip):
        handovers = history.snapshot(height).handovers_after(history.states[height].registry)
        assert handovers == history.snapshot(height + 1).decided.handovers


Lie = Callable[[History, Snapshot], Snapshot]


def _header(**changes: object) -> Lie:
    def lie(_: History, snapshot: Snapshot) -> Snapshot:
        header = replace(snapshot.decided.header, **changes)  # type: ignore[arg-type]
        return replace(snapshot, decided=replace(snapshot.decided, header=header))

    return lie


def _decided(**changes: object) -> Lie:
    return lambda _, snapshot: replace(snapshot, decided=replace(snapshot.decided, **changes))  # type: ignore[arg-type]


def _without_first_handover(_: History, snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, decided=replace(snapshot.decided, handovers=snapshot.decided.handovers[1:]))


def _certified_by_the_liar(history: History, snapshot: Snapshot) -> Snapshot:
    """mistake 8: a height that nobody decided, under seals of one validator repeated or too few."""
    header = replace(snapshot.decided.header, height=type(snapshot.height)(10_000))
    validators = history.states[snapshot.height].registry.validators
    one = history.consortium.certify(header, validators, signers=[validators.validators[0].key])
    return replace(snapshot, decided=replace(snapshot.decided, header=header, certificate=one))


def _older_registry(history: History, snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, registry=history.snapshot(1).registry)


def _older_frontier(history: History, snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, frontier=history.snapshot(snapshot.height - 1).frontier)


def _other_peak(_: History, snapshot: Snapshot) -> Snapshot:
    peaks = (*snapshot.frontier.peaks[:-1], Hash(digest("another peak")))
    return replace(snapshot, frontier=Frontier(snapshot.frontier.size, peaks))


def _other_size(_: History, snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, frontier=Frontier(snapshot.frontier.size + 1, snapshot.frontier.peaks))


def _swapped_peaks(_: History, snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, frontier=Frontier(snapshot.frontier.size, snapshot.frontier.peaks[::-1]))


LIES: dict[str, tuple[int, Lie]] = {
    "another ledger": (2, _header(genesis=Hash(digest("another genesis")))),
    "a handover left out": (3, _without_first_handover),
    "all handovers left out": (4, _decided(handovers=())),
    "a height nobody decided": (4, _header(height=10_000)),
    "a height certified by one validator": (4, _certified_by_the_liar),
    "another block": (4, _header(parent=Hash(digest("another parent")))),
    "another registry": (5, _older_registry),
    "no registry": (5, lambda _, snapshot: replace(snapshot, registry=b"")),
    "an older frontier": (6, _older_frontier),
    "another peak": (6, _other_peak),
    "another size": (6, _other_size),
    "swapped peaks": (6, _swapped_peaks),
}


@pytest.mark.parametrize("name", LIES)
def test_mistakes_8_and_19_a_lie_is_found_by_its_step(history: History, name: str) -> None:
    step, lie = LIES[name]
    false = lie(history, history.snapshot(14))
    assert false != history.snapshot(14)
    with pytest.raises(InvalidSnapshot) as caught:
        false.verify(history.consortium.genesis)
    assert caught.value.step == step, caught.value


@given(data=st.data())
def test_mistake_19_no_flipped_bit_passes(history: History, data: st.DataObject) -> None:
    encoded = bytearray(history.snapshot(14).encode())
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(InvalidSnapshot):
        Snapshot.decode(bytes(encoded)).verify(history.consortium.genesis)


@given(
    st.binary(max_size=200) | st.recursive(st.binary(max_size=40) | st.integers(0, 9), st.lists).map(canonical.encode)
)
def test_garbage_is_not_a_snapshot(data: bytes) -> None:
    with pytest.raises(InvalidSnapshot) as caught:
        Snapshot.decode(data)
    assert caught.value.step == 1


def test_a_cut_snapshot_is_not_one(history: History) -> None:
    encoded = history.snapshot(14).encode()
    for length in range(len(encoded)):
        with pytest.raises(InvalidSnapshot):
            Snapshot.decode(encoded[:length])


def test_a_registry_of_a_later_software_is_named_as_such(consortium_of_later_software: Snapshot) -> None:
    """A quorum may agree on a form that an old node does not know: the error says to update the software."""
    snapshot = consortium_of_later_software
    with pytest.raises(InvalidSnapshot, match="update the software") as caught:
        snapshot.verify(Consortium(1).genesis)
    assert (caught.value.step, caught.value.field) == (5, "registry")


def test_false_records_are_not_blamed_on_the_software(history: History) -> None:
    """Nobody has agreed on them, whatever their form."""
    good = history.snapshot(14)
    records = {**dict(history.states[14].registry.records()), b"x": b"\x00"}
    flat = canonical.encode([each for record in sorted(records.items()) for each in record])
    with pytest.raises(InvalidSnapshot, match="unknown kind") as caught:
        replace(good, registry=flat).verify(history.consortium.genesis)
    assert caught.value.step == 5
    assert "update" not in str(caught.value)


def test_a_registry_larger_than_any_is_refused_before_it_is_read(history: History) -> None:
    large = replace(history.snapshot(14), registry=bytes(MAX_REGISTRY_BYTES + 1)).encode()
    with pytest.raises(InvalidSnapshot, match=f"registry: .* at most {MAX_REGISTRY_BYTES} allowed") as caught:
        Snapshot.decode(large)
    assert (caught.value.step, caught.value.limit) == (1, MAX_REGISTRY_BYTES)
    assert Snapshot.decode(replace(history.snapshot(14), registry=bytes(MAX_REGISTRY_BYTES)).encode())


@pytest.fixture
def consortium_of_later_software() -> Snapshot:
    consortium = Consortium(1)
    decision, transition = consortium.decide(consortium.state, consortium.entries(1))
    records = {**dict(transition.state.registry.records()), b"pmax_block_gas": canonical.encode(1)}
    registry = canonical.encode([each for record in sorted(records.items()) for each in record])
    header = replace(decision.block.header, state_root=registry_hash(records.items()))
    certificate = consortium.certify(header, consortium.state.registry.validators)
    return Snapshot(DecidedHeader(header, certificate, ()), registry, transition.state.frontier)


def test_a_registry_that_does_not_make_the_next_set_is_refused() -> None:
    """Only a quorum of liars could certify it; it must not be taken all the same, for who signs next would be open."""
    consortium = Consortium(1)
    decision, transition = consortium.decide(consortium.state, consortium.entries(1))
    header = replace(decision.block.header, next_validators=Hash(digest("another set")))
    certificate = consortium.certify(header, consortium.state.registry.validators)
    good = Snapshot.of(transition.state, DecidedHeader(header, certificate, ()))
    with pytest.raises(InvalidSnapshot, match="next validator set"):
        good.verify(consortium.genesis)


@pytest.mark.parametrize("item", [b"\x00", b"\x90", b"\x91\x00"], ids=["numbers", "lists", "nested lists"])
def test_a_snapshot_of_very_many_small_values_is_refused_before_they_are_built(item: bytes) -> None:
    """Of 8 MiB, as many values as would be allowed by its length alone: a hundred times their size in memory."""
    count = 1_000_000 // len(item)
    data = b"\x94\x02\xdd" + count.to_bytes(4, "big") + item * count + b"\xc6" + (7 << 20).to_bytes(4, "big")
    with pytest.raises(InvalidSnapshot, match=f"at most {MAX_SNAPSHOT_VALUES} allowed"):
        Snapshot.decode(data + bytes(7 << 20) + b"\xc4\x00")


def test_a_snapshot_of_too_many_handovers_is_found_before_it_is_sent(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader would refuse it, and treat its honest sender as a liar."""
    good = history.snapshot(history.tip)
    (handover, *_) = good.decided.handovers
    monkeypatch.setattr("notarium_ledger.trust.snapshot.MAX_SNAPSHOT_VALUES", 1_000)
    for count, fits in ((10, True), (100, False)):
        decided = replace(good.decided, handovers=(handover,) * count)
        data = replace(good, decided=decided).encode()
        assert is_within_bounds(data) is fits
        if fits:
            assert Snapshot.decode(data).encode() == data
        else:
            with pytest.raises(InvalidSnapshot, match="at most 1000 allowed"):
                Snapshot.decode(data)
