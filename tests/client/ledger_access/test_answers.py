"""What is said about answers fits one line."""

from tests.client.helpers import body, client_of

from notarium.ledger_access.answers import clean


def test_text_from_outside_is_one_bounded_line():
    assert clean("a\x1b[2J\nb\u202e") == "a [2J b"
    assert len(clean("x" * 10_000)) < 600


async def test_a_receipt_is_one_short_line_in_a_notebook(ledger, node):
    async with client_of(ledger, [node]) as client:
        receipt = await client.submit(body(ledger))
    assert repr(receipt).startswith(f"<VerifiedReceipt {receipt.id.hex()[:16]}… dataset · block 1 · #0 · ")
    assert len(repr(receipt)) < 120
