"""One hash over all that happened in some seeds: equal if they ran equally."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from tests.simulation.scenario import run_seed
from tests.simulation.schedules import SMALL, Schedule


def digest(seeds: Iterable[int], size: int, schedule: Schedule = SMALL) -> str:
    """Over the transcripts, which hold every decision, every fault and every complaint, with its time."""
    state = sha256()
    for seed in seeds:
        transcript: list[str] = []
        run_seed(seed, size, schedule, transcript=transcript)
        state.update("\n".join(transcript).encode())
    return state.hexdigest()
