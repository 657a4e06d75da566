"""The memory that an entry is counted with is the memory that it takes."""

import gc
import tracemalloc

import pytest
from tests.support.consortium import Consortium

from notarium_ledger.entries.entry import decode_entry, sign_batch
from notarium_node.entries.footprint import MOST_PER_BYTE, footprint
from notarium_node.entries.mempool import Mempool

CLUB = Consortium(4, researchers=2)
COUNT = 400


def subjects(name):
    return [{"digest": number.to_bytes(32, "big"), "role": "data", "name": name} for number in range(40)]


BODIES = {
    "small": dict,
    "large": lambda: {"subjects": subjects("x" * 200)},
    "many short records": lambda: {"refs": [{"rel": "derivedFrom", "entry": bytes([n]) * 32} for n in range(64)]},
    "text of four bytes a character in memory": lambda: {"subjects": subjects("\U0001f600" + "x" * 200)},
}


def wire(more, batch):
    bodies = [CLUB.body(**more()) for _ in range(COUNT)]
    if batch:
        return sign_batch(CLUB.researcher, CLUB.genesis.hash, bodies)
    return [CLUB.raw(body) for body in bodies]


@pytest.mark.parametrize("batch", [False, True], ids=["single", "batch"])
@pytest.mark.parametrize("more", BODIES.values(), ids=BODIES)
def test_a_full_mempool_takes_what_it_counts(more, batch):
    raws = wire(more, batch)
    pool = Mempool(1_000_000, 1 << 40)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for raw in raws:
            pool.add(decode_entry(bytes(bytearray(raw))))  # Of its own, as from a socket.
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.85 * pool.bytes < taken < 1.02 * pool.bytes


@pytest.mark.parametrize("more", BODIES.values(), ids=BODIES)
def test_no_entry_costs_more_for_each_byte_than_the_configuration_reckons_with(more):
    for raw in (wire(more, False)[0], wire(more, True)[0]):
        assert footprint(decode_entry(raw)) <= MOST_PER_BYTE * len(raw)
