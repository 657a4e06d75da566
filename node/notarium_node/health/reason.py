"""Why a node is not ready."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ReasonKind(StrEnum):
    """Why a node is not ready."""

    STARTING = "starting"
    DISK_REFUSES_WRITES = "disk-refuses-writes"
    STORE_DAMAGED = "store-damaged"
    CANNOT_FOLLOW = "cannot-follow"
    NOT_REGISTERED_YET = "not-registered-yet"
    NOT_REGISTERED = "not-registered"
    NO_QUORUM = "no-quorum"
    TOO_FEW_VOTERS = "too-few-voters"
    NO_VALIDATOR = "no-validator"
    NOTHING_DECIDED = "nothing-decided"
    BEHIND = "behind"
    HISTORY_MISSING = "history-missing"
    MEMORY_LOST = "memory-lost"
    CLOCK_OFF = "clock-off"
    CERTIFICATE_EXPIRED = "certificate-expired"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: its kind for programs, its text with the present figures for the operator."""

    kind: ReasonKind
    text: str
