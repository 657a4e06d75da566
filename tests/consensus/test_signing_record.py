"""What is on the disk before a message leaves, and how it is read."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import pytest
from tests.consensus.harness import Bench

from notarium_consensus.errors import InvalidRecord
from notarium_consensus.permission import FENCE_KEY
from notarium_consensus.signing_record import PREPARED_KEY, decode_record
from notarium_ledger.blocks.block import Block


def prepared_bench() -> tuple[Bench, Block]:
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    return bench, block


def test_a_damaged_record_stops_the_node():
    bench, _ = prepared_bench()
    ((key, value),) = bench.disk.items()
    for bad in ({key: value[:-1]}, {b"\x00" * 5: value}, {b"x": value}, {PREPARED_KEY: value}, {FENCE_KEY: b"1"}):
        with pytest.raises(InvalidRecord, match=r"record\[1\]"):
            Bench(own=0, record=bad, record_height=1)
    with pytest.raises(InvalidRecord, match="another height"):
        decode_record(bench.disk, 2)
