"""What can go wrong with a store. Each message says where, what, and what to do."""

from __future__ import annotations

from pathlib import Path


class StoreError(Exception):
    """Base of all errors of the store; `path` is its directory."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class StoreCorruption(StoreError):
    """What is on the disk is not what was written. `height` is the damaged block's, where it is known."""

    REMEDY = "restore a backup, or move the directory away and let the node fetch the chain from its peers again"

    def __init__(self, path: Path, reason: str, height: int | None = None) -> None:
        where = "" if height is None else f"block {height}: "
        super().__init__(path, f"{where}{reason}; {self.REMEDY}")
        self.detail = reason
        """The reason without place and remedy."""
        self.height = height


class ForeignStore(StoreCorruption):
    """The directory holds another ledger."""

    REMEDY = "point the node at its own data directory or at the genesis file of this one"


class StoreLocked(StoreError):
    """Another process has the store open."""


class StoreFull(StoreError):
    """The disk has no room. Nothing was lost; writing works again once there is room."""

    def __init__(self, path: Path, free_bytes: int, needed_bytes: int) -> None:
        super().__init__(
            path,
            f"the disk is full: {free_bytes} bytes free, at least {needed_bytes} needed; "
            "free some space, then the node goes on by itself",
        )
        self.free_bytes = free_bytes
        self.needed_bytes = needed_bytes


class HistoryIncomplete(StoreError):
    """The node joined by a snapshot and has not fetched yet what was asked for. It is no damage, and passes."""

    def __init__(self, path: Path, what: str, history_height: int, base_height: int) -> None:
        super().__init__(
            path,
            f"{what} is not known yet: the node holds the blocks up to {history_height} and from {base_height + 1} on; "
            "it is fetching the rest, ask again later or ask another node",
        )
        self.history_height = history_height
        """The greatest height up to which all blocks from genesis on are stored."""
        self.base_height = base_height
        """The height of the adopted snapshot: the last block that may be missing."""
