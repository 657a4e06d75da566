"""A batch of entries from very many blocks is answered with the receipts that fit, and the rest as pending."""

from dataclasses import replace
from typing import Any

import pytest
from tests.node.api.test_submit_turns import Office, office_hours
from tests.node.http_api import MSGPACK
from tests.support.consortium import Consortium

from notarium_ledger.encoding import canonical
from notarium_ledger.trust.chain import DecidedHeader, Handover
from notarium_ledger.trust.receipt import Receipt
from notarium_ledger.trust.receipt_batch import decode_receipts
from notarium_ledger.types import Hash, Height
from notarium_node.api.batch_answer import LEAST_BLOCKS, MOST_HANDOVERS, receipts_that_fit


def receipts(blocks: int, handovers: int, of_each: int = 1) -> list[Receipt]:
    """Of `blocks` blocks in turn, after so many changes of the validator set."""
    consortium = Consortium(4)
    decision, _ = consortium.decide(consortium.state, [consortium.entry()])
    header, certificate = decision.block.header, decision.certificate
    changes = (Handover(header, certificate, consortium.state.registry.validators),) * handovers
    decided = [
        DecidedHeader(replace(header, height=Height(1 + number)), certificate, changes) for number in range(blocks)
    ]
    return [Receipt(b"entry", 0, (), each) for _ in range(of_each) for each in decided]


@pytest.mark.parametrize(
    ("blocks", "handovers", "fitting"),
    [
        (300, 0, 300),
        (300, 20, MOST_HANDOVERS // 20),
        (300, 1000, LEAST_BLOCKS),
        (LEAST_BLOCKS, 5000, LEAST_BLOCKS),
    ],
)
def test_an_answer_has_as_many_blocks_as_fit_and_all_entries_of_these(blocks, handovers, fitting):
    known = receipts(blocks, handovers, of_each=2)
    assert receipts_that_fit(known) == [*known[:fitting], *[None] * (blocks - fitting)] * 2


def test_what_is_pending_stays_pending_and_takes_no_room():
    known = receipts(1, 0)[0]
    assert receipts_that_fit([None, known, None, known]) == [None, known, None, known]


class Old(Office):
    """All entries are decided, each in a block of its own, after a hundred changes."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.go_on.set()
        self.left: Any = iter(receipts(count, 100))

    def receipt(self, id_: Hash) -> Any:
        return next(self.left)


async def test_a_replayed_batch_of_many_blocks_is_answered_in_part():
    raws = [bytes([number]) for number in range(100)]
    async with (
        office_hours(Old(len(raws))) as (session, url),
        session.post(
            url, data=canonical.encode([*raws]), headers={"Content-Type": MSGPACK, "Accept": MSGPACK}
        ) as answer,
    ):
        found = decode_receipts(await answer.read(), raws)
    assert answer.status == 202
    assert [each is not None for each in found] == [number < LEAST_BLOCKS for number in range(100)]
