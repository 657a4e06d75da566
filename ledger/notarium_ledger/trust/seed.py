"""A seed that nobody chose: derived from the decided block of a run's start.

Whoever starts the run cannot know the block's hash before the block is decided, and who starts ten runs to choose a
seed leaves ten starts in the log. A proposer of the same institution could try several blocks; the log shows whose
block it was.
"""

from __future__ import annotations

from typing import Final

from notarium_ledger.blocks.block import Header
from notarium_ledger.errors import InvalidSeed
from notarium_ledger.signing import SEED_TAG, tagged_hash
from notarium_ledger.types import Hash

SEED_BITS: Final = 32
"""What every library takes as a seed."""


def derive_seed(block: Hash, entry: Hash, name: str = "") -> int:
    """0 to 2^32 − 1: the first 4 bytes of SHA-256(tag ‖ block hash ‖ id of the run's start ‖ name in UTF-8).

    `name`: for further seeds of the same run. The block hash names the ledger, through the hash of its parent.
    """
    return int.from_bytes(tagged_hash(SEED_TAG, block + entry + name.encode())[: SEED_BITS // 8], "big")


def check_first_block(header: Header, index: int, parent: Header | None) -> None:
    """Raise InvalidSeed unless `header` is of the block that added entry `index` to the log.

    A receipt may prove the entry under the header of any later block, and each has another hash. So `parent`, the
    header before (None at height 1), must show a log that does not hold the entry yet.
    """
    if not 0 <= index < header.tree_size:
        raise InvalidSeed(f"entry {index} is not in a log of {header.tree_size}", "index")
    if header.height == 1:
        return
    if parent is None or parent.hash != header.parent:
        raise InvalidSeed("not the header of the block before", "parent")
    if index < parent.tree_size:
        raise InvalidSeed(f"entry {index} was in the log before block {header.height}", "index")
