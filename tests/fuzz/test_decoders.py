"""Laws for every target: only documented errors, one encoding, memory and work in proportion to the input.

Longer: `make fuzz`, guided by coverage.
"""

import random
import sys
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.mutations import spoil
from tests.fuzz.target import OWN, Target, check, memory_limit, names
from tests.fuzz.targets import TARGETS

CALLS = 20_000
CALLS_FACTOR = 8
"""Calls of Python functions: each value of the input is looked at a few times."""

of_each_target = pytest.mark.parametrize("target", TARGETS, ids=names(TARGETS))
quick = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])


@of_each_target
@quick
@given(data=st.binary(max_size=300))
def test_any_bytes(target: Target, data: bytes) -> None:
    check(target, data)


@of_each_target
@quick
@given(seed=st.integers(0, 2**64))
def test_spoiled_bytes(target: Target, seed: int) -> None:
    """Each example is drawn from one number, so that it identifies a failure: spoiled(target, number)."""
    check(target, spoiled(target, seed))


def spoiled(target: Target, seed: int) -> bytes:
    """The input that a number stands for."""
    return spoil(random.Random(seed), target.seeds, target.dialect, target.max_bytes)


BOMBS = {
    "msgpack": [
        b"\xdd\x00\x02\x00\x00" + b"\x90" * 0x20000,
        b"\xdd\x00\x02\x00\x00" + b"\x80" * 0x20000,
        b"\xdc\x40\x00" * 1000 + b"\xc0" * 17_000,
        b"\xdd\x00\x00\x4e\x20" * 1000 + b"\xc0" * 20_000,
        b"\xdb\x7f\xff\xff\xff" + b"a" * 1000,
        b"\xc6\x7f\xff\xff\xff" + b"a" * 1000,
        b"\x91" * 30_000,
        b"\x81\xa1a" * 30_000,
        b"\xdc\xff\xff" + b"\xa2ab" * 0xFFFF,
    ],
    "json": [
        b"[" + b"[]," * 40_000 + b"[]]",
        b"[" + b"{}," * 40_000 + b"{}]",
        b"[" * 30_000,
        b'{"a":' * 30_000,
        b"9" * 50_000,
        b'"' + b"\\u00e9" * 30_000 + b'"',
    ],
    "text": [b"9" * 50_000, b"a." * 30_000, b"[" * 30_000, b"{a=" * 30_000, b"\x00" * 50_000],
}
"""Inputs that are much larger once they are built, or that make a decoder go deep."""


def bombs(target: Target) -> list[bytes]:
    """Bombs, alone and in the place of the end of a valid input."""
    seed = target.seeds[0]
    found = [bomb for each in BOMBS[target.dialect] for bomb in (each, seed[: len(seed) * 2 // 3] + each)]
    # What may grow with the input need not be large to show it.
    most = 30_000 if target.memory_factor == OWN else target.max_bytes
    return [each[:most] for each in found]


def hard(target: Target) -> list[bytes]:
    """Bombs, seeds (some are the hardest of their format) and a few spoiled ones."""
    return [*bombs(target), *target.seeds, *(spoiled(target, seed) for seed in range(5))]


@of_each_target
def test_memory_is_in_proportion_to_the_input(target: Target) -> None:
    for data in hard(target):
        peak = peak_bytes(target, data)
        assert peak <= memory_limit(target, len(data)), (target.name, peak, len(data), data[:60])


def peak_bytes(target: Target, data: bytes) -> int:
    """The most memory that was held at one time."""
    tracemalloc.start()
    try:
        check(target, data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@of_each_target
def test_work_is_in_proportion_to_the_input(target: Target) -> None:
    """Work is counted in calls, not in seconds, so that a busy machine changes nothing."""
    for data in hard(target):
        calls = count_calls(target, data)
        assert calls <= CALLS + CALLS_FACTOR * len(data), (target.name, calls, len(data), data[:60])


def count_calls(target: Target, data: bytes) -> int:
    """How often a function was called, those in C included."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        check(target, data)
    finally:
        sys.setprofile(before)
    return calls


def test_the_bounds_can_be_passed() -> None:
    """A decoder that builds too much, or that looks at each pair of bytes, is seen."""
    greedy = Target("greedy", lambda data: [bytes(100) for _ in data], (), (), (b"",))
    assert peak_bytes(greedy, bytes(200_000)) > memory_limit(greedy, 200_000)
    slow = Target("slow", lambda data: [max(a, b) for a in data for b in data], (), (), (b"",))
    assert count_calls(slow, bytes(300)) > CALLS + CALLS_FACTOR * 300
