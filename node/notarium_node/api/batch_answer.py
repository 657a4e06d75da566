"""Receipts of a batch in one answer: as many as leave votes their turn.

The answer holds each block once, with all handovers before it. Anybody can collect decided entries of thousands of
blocks and send them as a batch, so without a bound the answer grows with blocks times handovers: 61 MiB and 2.2 s of
the event loop after 20 changes of the validator set.
"""

from __future__ import annotations

from collections.abc import Sequence

from notarium_ledger.trust.receipt import Receipt

MOST_HANDOVERS = 4_096
"""Of all blocks of an answer together: 40 ms with four validators."""
LEAST_BLOCKS = 64
"""So many are answered for, whatever their handovers: 8 MiB of new entries fill 16 blocks of the usual size, or some
more where others share them."""


def receipts_that_fit(receipts: Sequence[Receipt | None]) -> list[Receipt | None]:
    """`receipts`, but None for those of further blocks: the client asks for them one by one, as for pending ones."""
    blocks, handovers = set[int](), 0
    fitting: list[Receipt | None] = []
    for receipt in receipts:
        if receipt is not None and (height := receipt.decided.header.height) not in blocks:
            more = len(receipt.decided.handovers)
            if len(blocks) >= LEAST_BLOCKS and handovers + more > MOST_HANDOVERS:
                receipt = None
            else:
                blocks.add(height)
                handovers += more
        fitting.append(receipt)
    return fitting
