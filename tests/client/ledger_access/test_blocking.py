"""The client for code that is not async does the same, from any thread and inside a running loop."""

import pytest
from tests.client.helpers import body
from tests.support.consortium import digest

from notarium.errors import NotAnchored
from notarium.ledger_access.blocking import BlockingClient


def test_the_blocking_client_does_the_same_also_from_several_threads(ledger, node):
    with BlockingClient(ledger.consortium.genesis, [node.url], ledger.consortium.researcher) as client:
        receipt = client.submit(body(ledger))
        assert client.receipt(receipt.id).index == 0
        assert len(client.submit_batch([body(ledger) for _ in range(3)])) == 3
        assert client.status()[0].ready
        with pytest.raises(NotAnchored):
            client.entry(digest("nothing"))
    with pytest.raises(RuntimeError, match="closed"):
        client.status()
    client.close()


async def test_the_blocking_client_works_where_a_loop_is_running_already(ledger, node):
    with BlockingClient(ledger.consortium.genesis, [node.url], ledger.consortium.researcher) as client:
        assert client.submit(body(ledger)).index == 0
