"""The rules of consensus by name, so that tests and transcripts can say which of them fired."""

from __future__ import annotations

from enum import Enum


class Rule(Enum):
    """A rule of instance.py: member NAME is the method `_upon_name` there. The value is for people."""

    PROPOSAL = "upon a proposal of this round"
    PREPARE = "upon a quorum of prepares"
    COMMIT = "upon a quorum of commits"
    HIGHER_ROUND_CHANGES = "upon f+1 round changes to later rounds"
    ROUND_CHANGE_QUORUM = "upon a quorum of round changes, at the proposer"
    ROUND_TIMEOUT = "upon the end of the round's time"
    ABSENT_PROPOSER = "upon the absence of the round's proposer"
    LATER_PROPOSAL = "upon a justified proposal of a later round"
