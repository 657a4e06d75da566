"""The cache of digests: it never holds the digest of a file that may have changed since."""

import pytest

from notarium.evidence.digest_cache import DigestCache, FileState


@pytest.fixture
def cache(tmp_path):
    return DigestCache(tmp_path / "cache" / "digests.sqlite")


def test_settled_looks_at_both_times():
    now = 10**18
    assert FileState(1, 1, 1, now - 2 * 10**9, now - 2 * 10**9).is_settled(now)
    assert not FileState(1, 1, 1, now - 2 * 10**9, now - 10**9).is_settled(now)
    assert not FileState(1, 1, 1, now - 10**9, now - 2 * 10**9).is_settled(now)
    assert not FileState(1, 1, 1, now + 10**12, now).is_settled(now)


def test_it_counts_when_reading_began_not_when_it_ended(cache):
    state = FileState(1, 2, 5, 10**18, 10**18)
    cache.put_many([(state, "ab" * 32)], 10**18 + 10**9)
    assert cache.get_many([state]) == [None]
    cache.put_many([(state, "ab" * 32)], 10**18 + 3 * 10**9)
    assert cache.get_many([state]) == ["ab" * 32]


def test_large_inode_numbers_fit(cache):
    state = FileState(2**64 - 1, 2**64 - 2, 5, 1, 1)
    cache.put_many([(state, "ab" * 32)], 10**18)
    assert cache.get_many([state]) == ["ab" * 32]
    assert cache.get_many([FileState(2**64 - 1, 2**64 - 2, 6, 1, 1)]) == [None]
