"""What an oracle raises."""

from __future__ import annotations


class SafetyViolation(AssertionError):
    """An honest node did what no honest node may do. The message begins with the name of the oracle."""


def require(condition: object, oracle: str, reason: str) -> None:
    """Raise SafetyViolation unless `condition` holds. Where `reason` costs time to write, ask first instead."""
    if not condition:
        raise SafetyViolation(f"{oracle}: {reason}")
