"""All the ways to lie that a seed draws from."""

from __future__ import annotations

from tests.simulation.catch_up_lies import BadGossip, CorruptBlocks, CorruptSnapshots, HeightLiar, SelfCertifier
from tests.simulation.consensus_lies import (
    BadJustification,
    EquivocatingProposer,
    FalsePrepared,
    Flooder,
    Forger,
    InvalidContent,
    VoterForEverything,
    Withholder,
    WrongTime,
)
from tests.simulation.liar import Behaviour

__all__ = ["BEHAVIOURS", "BadJustification", "Behaviour", "Flooder", "InvalidContent", "SelfCertifier", "WrongTime"]

BEHAVIOURS: tuple[type[Behaviour], ...] = (
    EquivocatingProposer,
    VoterForEverything,
    Withholder,
    BadJustification,
    FalsePrepared,
    WrongTime,
    InvalidContent,
    Forger,
    Flooder,
    CorruptBlocks,
    CorruptSnapshots,
    SelfCertifier,
    HeightLiar,
    BadGossip,
)
