"""Errors of the store. Each message names the place, the problem and the remedy."""

from __future__ import annotations

from pathlib import Path


class StoreError(Exception):
    """Base of all errors of the store; `path` is its directory."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class StoreCorruption(StoreError):
    """The disk does not hold what was written. `height` is the damaged block's, where it is known."""

    REMEDY = "restore a backup, or move the directory away: the node then fetches the chain from its peers again"

    def __init__(self, path: Path, reason: str, height: int | None = None) -> None:
        where = "" if height is None else f"block {height}: "
        super().__init__(path, f"{where}{reason}; {self.REMEDY}")
        self.detail = reason
        """The reason, without place and remedy."""
        self.height = height


class ForeignStore(StoreCorruption):
    """The directory belongs to another ledger."""

    REMEDY = "configure this node's own data directory, or the genesis file that belongs to this one"


class OtherFormat(StoreCorruption):
    """The store was written by a version of this software that lays it out differently."""

    REMEDY = (
        "start the version that wrote it, or move the directory away: the node then fetches the chain from its peers "
        "again"
    )


class StoreLocked(StoreError):
    """The store is open in another process."""


class StoreFull(StoreError):
    """The disk is full. Nothing is lost; writes succeed again when there is free space."""

    def __init__(self, path: Path, free_bytes: int, needed_bytes: int) -> None:
        super().__init__(
            path,
            f"the disk is full: {free_bytes} bytes free, at least {needed_bytes} needed; "
            "free some space; the node then continues by itself",
        )
        self.free_bytes = free_bytes
        self.needed_bytes = needed_bytes


class HistoryIncomplete(StoreError):
    """The node joined from a snapshot and has not yet fetched what was asked for. Temporary; not damage."""

    def __init__(self, path: Path, what: str, history_height: int, base_height: int) -> None:
        super().__init__(
            path,
            f"{what} is not known yet: the node holds the blocks up to {history_height} and from {base_height + 1} on; "
            "it is fetching the rest; ask again later, or ask another node",
        )
        self.history_height = history_height
        """The greatest height up to which all blocks from genesis on are stored."""
        self.base_height = base_height
        """The height of the adopted snapshot: the last block that may be missing."""
