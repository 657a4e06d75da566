"""What has become of the operator's consensus.vote_from, and what to do about it: one remedy, wherever it is shown."""

from __future__ import annotations

from dataclasses import dataclass

from notarium_consensus.permission import NO_FENCE, Permission, SigningRefusal
from notarium_ledger.types import Height

GUIDE = '"A lost store" in docs/operations.md'


@dataclass(frozen=True, slots=True)
class IdleWord:
    """A consensus.vote_from that changes nothing now."""

    is_done: bool
    """It had its effect. False: it never had one."""
    said: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.said}; {self.remedy}"


def idle_word(permission: Permission, stale: Height | None, height: Height, least: Height) -> IdleWord | None:
    """None: it counts, or is not set.

    `stale`: the word, where it is ignored because it is from before the loss. `height`: of the tip. `least`: the next
    height of the ledger, as far as this node knows.
    """
    word = permission.by_hand if stale is None else stale
    if word is None or (stale is None and not permission.is_word_idle(height)):
        return None
    named = f"consensus.vote_from = {word}"
    if stale is not None:
        why = "it is from before the loss"
    elif word > height:
        why = f"by what the others have shown, the node votes from height {permission.vote_from} on"
    elif permission.remembers and word == permission.regained > NO_FENCE:
        return IdleWord(True, f"{named} is done: block {word} is decided", "remove the setting")
    else:
        why = f"block {word} is decided"
    return IdleWord(False, f"{named} has no effect: {why}", _remedy(permission, word, height, least))


def _remedy(permission: Permission, word: Height, height: Height, least: Height) -> str:
    if not permission.remembers:
        present = f"set {least} or more" if word < least else "remove the file VOTE-FROM"
        return (
            f"if it is for the present loss ({GUIDE}), {present} and start the node again; if not, remove the setting"
        )
    if permission.vote_from > height + 1 and permission.fenced_by is SigningRefusal.BY_HAND:
        return correction(permission.vote_from, least)
    if permission.by_hand is not None and word > height:
        return (
            f"remove the setting; if one node must go first ({GUIDE}), choose one whose /readyz says that it does not "
            "remember"
        )
    return "remove the setting"


def correction(set_to: Height, least: Height) -> str:
    """What to do about a height that the operator may have set too high."""
    return (
        f"if {set_to} is too high, set consensus.vote_from to the right height, {least} at least, and start the node "
        "again"
    )


def last_resort(least: Height) -> str:
    """Where the answers of the others cannot come."""
    return f"see {GUIDE}: consensus.vote_from = {least} or more, on one node, agreed with all members"
