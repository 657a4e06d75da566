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
    """They are connected, and no answer has come."""
    absent: tuple[str, ...] = ()
    """They are not connected, and no answer has come."""
    is_early: bool = False
    """One that is connected has not had the time to answer."""

    @property
    def is_enough(self) -> bool:
        """Whether this node may sign again."""
        return 0 < self.needed <= len(self.counted)

    @property
    def missing(self) -> int:
        """How many answers more must count; at least 1 where there is nobody to ask."""
        return 0 if self.is_enough else max(1, self.needed - len(self.counted))

    @property
    def remedies(self) -> tuple[str, ...]:
        """What brings the answers that are missing."""
        mute = ", ".join((*self.forgot, *self.silent))
        return (
            *([f"start or connect {', '.join(self.absent)}"] if self.absent else []),
            *([f"the status of {mute} says why it does not help yet"] if mute else []),
        )

    @property
    def is_coming(self) -> bool:
        """Whether the answers are enough as soon as this node is as far as the others are."""
        return 0 < self.needed <= len(self.counted) + len(self.ahead)

    def __str__(self) -> str:
        """As "1 of 3 answers (m1); still ahead of this node: m2; no answer: m3"."""
        if self.needed == 0:
            return "there is no other validator to ask"
        groups = (
            ("still ahead of this node", self.ahead),
            ("may not sign either", self.forgot),
            ("no answer", self.silent),
            ("not connected", self.absent),
        )
        names = f" ({', '.join(self.counted)})" if self.counted else ""
        parts = [f"{len(self.counted)} of {self.needed} answers{names}"]
        return "; ".join(parts + [f"{name}: {', '.join(members)}" for name, members in groups if members])
