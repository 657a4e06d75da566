"""Errors of consensus, named by what is invalid."""

from __future__ import annotations

from notarium_ledger.errors import InvalidEquivocation as InvalidEquivocation
from notarium_ledger.errors import LedgerError


class InvalidMessage(LedgerError):
    """A consensus message that an honest validator does not send: malformed, wrongly signed or not justified."""


class LaterVersion(InvalidMessage):
    """A message of a later version of this software. It is ignored; its sender does nothing wrong."""


class InvalidRecord(LedgerError):
    """The consensus record on disk cannot be read; voting without it could mean signing twice."""
