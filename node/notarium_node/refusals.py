"""Why a node does not do what a client asks: a plain value, which the API turns into a problem document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class RefusalKind(StrEnum):
    """What keeps the node from doing it."""

    READ_ONLY = "read-only"
    """An observer, or a node that was removed, takes no entries, now or later."""
    BUSY = "busy"
    """The node takes no entries at the moment."""
    HISTORY_INCOMPLETE = "history-incomplete"
    """The node is still fetching the blocks that the answer depends on."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal, with what the client can do about it."""

    kind: RefusalKind
    detail: str
    remedy: str = ""
    """An instruction, as a sentence."""
    retry_after_s: int | None = None
    """When it makes sense to ask this node again."""
    validators: tuple[str, ...] = ()
    """Base URLs of validators, which take entries."""
    others: tuple[str, ...] = ()
    """Base URLs of other nodes, which may have the blocks."""
    progress: Mapping[str, Any] | None = None
    """How far the fetching is: height, target, blocks_per_s, remaining_s."""
