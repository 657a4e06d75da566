"""The verifier: right answers inline and from threads, each distinct signature once."""

import asyncio

import pytest
from tests.support.consortium import key

from notarium_node.entries.verifier import CHUNK, INLINE_LIMIT, REMEMBERED, Verifier

SIGNER = key("verifier")


def check(number, valid=True):
    message = b"message %d" % number
    return bytes(SIGNER.public), message, bytes(SIGNER.sign(message if valid else b"another"))


@pytest.fixture
def verifier():
    made = Verifier(2)
    yield made
    made.close()


@pytest.mark.parametrize("count", [0, 1, INLINE_LIMIT, INLINE_LIMIT + 1, CHUNK, 3 * CHUNK + 7])
async def test_every_signature_gets_its_own_verdict(verifier, count):
    checks = [check(number, valid=number % 3 != 1) for number in range(count)]
    assert await verifier.check(checks) == {each: number % 3 != 1 for number, each in enumerate(checks)}
    assert verifier.checked == count


async def test_a_signature_over_many_entries_is_computed_once_now_and_later(verifier):
    shared, other = check(0), check(1)
    assert await verifier.check([shared] * 500 + [other]) == {shared: True, other: True}
    assert verifier.checked == 2
    assert await verifier.check([shared] * 300) == {shared: True}
    assert verifier.checked == 2


async def test_what_failed_is_not_remembered_as_valid(verifier):
    bad = check(0, valid=False)
    for _ in range(2):
        assert await verifier.check([bad, bad]) == {bad: False}


async def test_memory_of_past_signatures_is_bounded(verifier, monkeypatch):
    monkeypatch.setattr("notarium_node.entries.verifier.REMEMBERED", 8)
    checks = [check(number) for number in range(20)]
    for each in checks:
        await verifier.check([each, each])
    assert verifier.checked == 20
    await verifier.check([checks[-1]] * 2)
    assert verifier.checked == 20
    await verifier.check([checks[0]] * 2)
    assert verifier.checked == 21
    assert REMEMBERED >= 1_000


async def test_checks_of_different_callers_do_not_mix(verifier):
    groups = [[check(100 * group + each, valid=bool(group % 2)) for each in range(50)] for group in range(6)]
    verdicts = await asyncio.gather(*(verifier.check(group) for group in groups))
    assert [set(each.values()) for each in verdicts] == [{bool(group % 2)} for group in range(6)]
