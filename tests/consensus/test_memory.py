"""What a decided height held is freed at once, not when the garbage collector comes by: a block may be megabytes."""

from __future__ import annotations

import gc
import weakref

from tests.consensus.harness import GENESIS, NOW_MS
from tests.simulation.chain import validator_keys, validator_set

from notarium_consensus.engine import Engine, EngineConfig
from notarium_consensus.inputs import Advance, WorkPending
from notarium_ledger.types import Hash, Height


def test_the_height_before_is_in_no_reference_cycle():
    validators = validator_set(validator_keys(4))
    engine = Engine(EngineConfig(GENESIS, None), {}, None)

    def advance(height: int) -> None:
        engine.step(Advance(Height(height), Hash(bytes(32)), NOW_MS, validators, 500, 2_000), NOW_MS)

    gc.disable()
    try:
        advance(1)
        engine.step(WorkPending(), NOW_MS)
        before = weakref.ref(engine._instance)
        advance(2)
        assert before() is None
    finally:
        gc.enable()
