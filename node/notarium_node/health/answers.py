"""Who has answered a node that does not remember what its key has signed: for /readyz and the metrics."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecallAnswers:
    """The other validators by what they have answered; members' names, in the order of the keys."""

    needed: int
    """How many must count before this node may sign; 0: there is nobody to ask."""
    counted: tuple[str, ...] = ()
    """They remember, and this node is as far as they are."""
    ahead: tuple[str, ...] = ()
    """They remember, and this node is not as far yet."""
    forgot: tuple[str, ...] = ()
    """They may not sign themselves now: they have forgotten, too, or lack blocks."""
    silent: tuple[str, ...] = ()
    """No answer has come."""

    @property
    def is_enough(self) -> bool:
        """Whether this node may sign again."""
        return 0 < self.needed <= len(self.counted)

    @property
    def missing(self) -> int:
        """How many answers more must count; at least 1 where there is nobody to ask."""
        return 0 if self.is_enough else max(1, self.needed - len(self.counted))

    def __str__(self) -> str:
        """As "1 of 3 answers (m1); still ahead of this node: m2; no answer: m3"."""
        if self.needed == 0:
            return "there is no other validator to ask"
        groups = (
            ("still ahead of this node", self.ahead),
            ("may not sign either", self.forgot),
            ("no answer", self.silent),
        )
        names = f" ({', '.join(self.counted)})" if self.counted else ""
        parts = [f"{len(self.counted)} of {self.needed} answers{names}"]
        return "; ".join(parts + [f"{name}: {', '.join(members)}" for name, members in groups if members])
