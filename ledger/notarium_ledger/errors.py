"""Errors named by what is invalid. Each carries field and limit, so that the sender can correct the input."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from types import TracebackType


def join_path(left: str, right: str) -> str:
    """The path of a field inside another: ``body`` and ``refs`` make ``body.refs``, an index follows without a dot."""
    if not left or not right:
        return left or right
    return left + right if right.startswith("[") else f"{left}.{right}"


class LedgerError(ValueError):
    """Base of all errors about bytes and values of the ledger.

    `field` is the path of the invalid part (``body.subjects[3].digest``), or "" for the whole. `limit` is the greatest
    allowed value, or None where the error is not about a limit.
    """

    def __init__(self, reason: str, field: str = "", *, limit: int | None = None) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason = reason
        self.field = field
        self.limit = limit


class StepError(LedgerError):
    """A failed verification; `step` is the number of the failed step in docs/formats.md."""

    def __init__(self, step: int, reason: str, field: str = "", *, limit: int | None = None) -> None:
        super().__init__(reason, field, limit=limit)
        self.step = step


class NotCanonical(LedgerError):
    """Bytes that are not the one canonical msgpack encoding of their value."""


class InvalidEntry(LedgerError):
    """An entry that no honest validator accepts: malformed, oversized, wrongly signed or not permitted."""


class KeyRefusal(StrEnum):
    """Why the key that signed an entry may not write it; the value is the reason as a predicate."""

    NOT_ENROLLED = "is not enrolled"
    REVOKED = "was revoked"
    NOT_GOVERNANCE_KEY = "is not the governance key"


class KeyNotPermitted(InvalidEntry):
    """A well-formed entry whose key may not write it; `cause` says why, so that nobody parses the reason."""

    def __init__(self, cause: KeyRefusal, *, member: str = "") -> None:
        """`member`: the member that the entry names, where the entry is a member's."""
        super().__init__(f"{cause} of {member}" if member else cause.value, "key")
        self.cause = cause


class QuotaExceeded(InvalidEntry):
    """An entry that is valid, but comes on top of what its member or key may write in a time; it may come later."""

    def __init__(self, reason: str, field: str, *, limit: int, until_ms: int) -> None:
        """`until_ms`: not before then (milliseconds since 1970) is there room again."""
        super().__init__(reason, field, limit=limit)
        self.until_ms = until_ms


class EntryOfLaterVersion(InvalidEntry):
    """An entry of a form or body version that this software does not know. Nobody is at fault; ignore it."""


class InvalidSeed(LedgerError):
    """A seed that does not come from the block that decided the start of its run."""


class InvalidGenesis(LedgerError):
    """A genesis document that does not describe a consortium."""


class InvalidBlock(LedgerError):
    """A block that does not follow from the state it claims to extend."""


class InvalidCertificate(LedgerError):
    """A quorum certificate that does not prove a decision."""


class InvalidProof(LedgerError):
    """A Merkle proof that does not prove what it claims."""


class InvalidReceipt(StepError):
    """A receipt that fails verification (docs/formats.md, Receipt)."""


class InvalidSnapshot(StepError):
    """A snapshot that fails verification (docs/formats.md, Snapshot)."""


class InvalidEquivocation(LedgerError):
    """Two statements that do not prove that one key signed two different things."""


class EquivocationOfLaterVersion(InvalidEquivocation):
    """An equivocation of a version that this software does not know. Nobody is at fault; ignore it."""


class InvalidEquivocationFile(StepError):
    """An equivocation file that fails verification (docs/formats.md, Equivocation file)."""


class errors_as:
    """Raise any LedgerError of the `with` block as `error_class`, with its reason, field and limit.

    An error that is already of that class passes unchanged. `step` is for error classes that have one. `field` is a
    prefix for the error's field.
    """

    __slots__ = ("_error_class", "_field", "_step")

    def __init__(self, error_class: type[LedgerError], step: int | None = None, *, field: str = "") -> None:
        self._error_class = error_class
        self._step = step
        self._field = field

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if error is None or not isinstance(error, LedgerError) or isinstance(error, self._error_class):
            return
        make: Callable[..., LedgerError] = self._error_class
        step = () if self._step is None else (self._step,)
        raise make(*step, error.reason, join_path(self._field, error.field), limit=error.limit) from error
