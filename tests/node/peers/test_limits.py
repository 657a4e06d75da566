"""Rates, back-off and penalties, without a clock."""

from hypothesis import given
from hypothesis import strategies as st

from notarium_ledger.types import PublicKey
from notarium_node.peers.limits import Backoff, Penalties, TokenBucket

PEER = PublicKey(b"p" * 32)


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 50)), max_size=60))
def test_a_bucket_never_lets_through_more_than_burst_and_rate(steps):
    bucket, now, taken = TokenBucket(rate=10, burst=20, now=0), 0.0, 0.0
    for pause, amount in steps:
        now += pause
        if bucket.take(amount, now):
            taken += amount
        assert taken <= 20 + 10 * now + 1e-6


def test_a_bucket_fills_again():
    bucket = TokenBucket(rate=10, burst=20, now=0)
    assert bucket.take(20, 0)
    assert not bucket.take(1, 0.05)
    assert bucket.take(1, 0.1)


def test_back_off_doubles_with_jitter_up_to_its_bound():
    backoff = Backoff(0.1, 5.0)
    delays = [backoff.next_s() for _ in range(12)]
    for delay, step in zip(delays, [0.1 * 2**n for n in range(6)], strict=False):
        assert step / 2 <= delay <= step
    assert all(2.5 <= delay <= 5 for delay in delays[6:])
    backoff.reset()
    assert backoff.next_s() <= 0.1


def test_strikes_double_are_bounded_and_forgiven():
    penalties = Penalties(max_ban_s=10)
    assert [penalties.strike(PEER, 1, now=0) for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    assert penalties.remaining_s(PEER, 4) == 6
    assert penalties.remaining_s(PEER, 11) == 0
    assert penalties.strike(PEER, 1, now=20) == 10
    assert penalties.strike(PEER, 1, now=30 + Penalties.FORGIVEN_S + 1) == 1
    penalties.forget(PEER)
    assert penalties.remaining_s(PEER, 0) == 0
