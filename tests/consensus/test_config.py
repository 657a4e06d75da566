"""The settings of an engine."""

# Plain integers stand for rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.consensus.harness import GENESIS, Club

from notarium_consensus.config import EngineConfig
from notarium_consensus.messages import JUSTIFICATION_BYTES
from notarium_consensus.signing import KeySigner


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"base_timeout_ms": 0}, "base_timeout_ms"),
        ({"base_timeout_ms": 2, "max_timeout_ms": 1}, "base_timeout_ms"),
        ({"resend_ms": 0}, "resend_ms"),
    ],
)
def test_times_without_sense_are_refused_by_name(wrong: dict[str, int], name: str):
    with pytest.raises(ValueError, match=name):
        EngineConfig(GENESIS, None, **wrong)


def test_a_round_lasts_twice_as_long_as_the_one_before_up_to_the_cap():
    lengths = EngineConfig(GENESIS, None, base_timeout_ms=100, max_timeout_ms=500).lengths(faulty=1, before=None)
    assert [lengths.of_round(round_, round_) for round_ in (0, 1, 2, 3, 4)] == [100, 200, 400, 500, 500]


def test_a_height_goes_on_with_what_the_one_before_taught():
    config = EngineConfig(GENESIS, None, base_timeout_ms=100, max_timeout_ms=500)
    before = config.lengths(1, None).after(8, 500).after(9, None, has_left=True)
    assert config.lengths(2, before) == replace(before, faulty=2)
    assert 0 < before.proven < before.level


def test_a_message_has_room_for_its_block_and_its_justification():
    assert EngineConfig(GENESIS, None, max_block_bytes=10).max_message_bytes == 10 + JUSTIFICATION_BYTES


def test_the_own_key_is_the_signers():
    key = Club().keys[2]
    assert EngineConfig(GENESIS, KeySigner(key)).own_key == key.public
    assert EngineConfig(GENESIS, None).own_key is None
