"""Keys and signatures: what is signed verifies, and nothing else does. (Acceptance rule: vectors, ed25519.json.)"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledger.flipping import flip
from tests.support.consortium import digest, key

from notarium_ledger import signing
from notarium_ledger.signing import SigningKey, is_valid_key, tagged_hash, verify

KEY = key("author")


@given(st.binary(max_size=200), st.integers(0, 511), st.integers(0, 255))
def test_a_signature_is_valid_for_its_key_and_message_only(message, signature_bit, key_bit):
    signature = KEY.sign(message)
    assert signature == KEY.sign(message)
    assert verify(KEY.public, message, signature)
    assert not verify(KEY.public, message + b"\0", signature)
    assert not verify(KEY.public, message, flip(signature, signature_bit))
    assert not verify(flip(KEY.public, key_bit), message, signature)


@pytest.mark.parametrize(("key_bytes", "signature_bytes"), [(31, 64), (33, 64), (32, 63), (32, 65), (0, 0)])
def test_wrong_lengths_are_invalid_and_raise_nothing(key_bytes, signature_bytes):
    assert not verify(bytes(key_bytes), b"message", bytes(signature_bytes))


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_a_seed_has_32_bytes(length):
    with pytest.raises(ValueError, match=f"32 bytes, not {length}"):
        SigningKey(bytes(length))


def test_a_secret_is_not_shown():
    seed = bytes(range(32))
    shown = repr(SigningKey(seed))
    assert SigningKey(seed).public.hex() in shown
    assert seed.hex() not in shown


def test_only_proper_points_may_be_enrolled():
    assert is_valid_key(KEY.public)
    assert not is_valid_key(bytes([1]) + bytes(31)), "of small order"
    assert not is_valid_key(b"\xff" * 32), "not canonical"
    assert not is_valid_key(KEY.public[:-1])


def test_a_point_is_checked_once_however_often_its_enrolment_is_judged(monkeypatch):
    """The answer depends on the bytes alone, so the answer to the first question serves for all."""
    checked: list[bytes] = []

    def check(point: bytes) -> bool:
        checked.append(point)
        return True

    monkeypatch.setattr("nacl.bindings.crypto_core_ed25519_is_valid_point", check)
    fresh = [digest(f"a key that nothing else asks about {number}") for number in range(2)]
    assert all(is_valid_key(each) for each in fresh * 3)
    is_valid_key.cache_clear()  # What the fake answered must not serve any other test.
    assert checked == fresh


def test_no_tag_begins_with_another():
    """Otherwise bytes with one tag could be bytes with another."""
    tags = [value for name, value in vars(signing).items() if name.endswith("_TAG")]
    assert len(tags) == len(set(tags)) == 10
    for tag in tags:
        assert tag.startswith(b"notarium/")
        assert tag.endswith(b"\0")
        assert not any(other.startswith(tag) for other in tags if other is not tag)
    assert len({tagged_hash(tag, b"data") for tag in tags}) == len(tags)
