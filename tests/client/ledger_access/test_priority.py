"""Who named the digests of an entry first."""

import pytest
from aiohttp import web
from tests.client.fake_node import FakeLedger
from tests.client.helpers import submit
from tests.support.consortium import Consortium, digest

from notarium.ledger_access import priority
from notarium.ledger_access.blocking import BlockingClient
from notarium.ledger_access.priority import earlier_by_others


@pytest.fixture
def ledger():
    """Its researchers belong to m0 and m1."""
    return FakeLedger(Consortium(4, observers=1, researchers=2))


def test_only_the_digests_that_another_named_first(ledger, nodes, monkeypatch):
    shared, own = digest("shared"), digest("own")
    submit(ledger, 0, record=own)
    first = submit(ledger, 1, record=shared)
    submit(ledger, 1, record=digest("other"), subjects=[{"digest": own, "role": "data"}])
    subjects = [{"digest": shared, "role": "data"}, {"digest": digest("new"), "role": "data"}]
    mine = submit(ledger, 0, record=own, subjects=subjects)
    submit(ledger, 1, record=digest("new"))
    with BlockingClient(ledger.consortium.genesis, [nodes[0].url]) as client:
        receipt = client.receipt(mine.id)
        assert {name: each.id for name, each in earlier_by_others(client, receipt).items()} == {shared.hex(): first.id}
        monkeypatch.setattr(priority, "MOST_DIGESTS", 1)
        assert earlier_by_others(client, receipt) == {}


def test_a_node_that_hides_the_first_entry_makes_nobody_later_the_first(ledger, nodes):
    mine, later = (submit(ledger, number, record=digest("shared")) for number in (0, 1))

    async def hide(request):
        if request.path != "/v1/search":
            return None
        rows = [{"id": later.id.hex()}]
        return web.json_response({"digest": digest("shared").hex(), "entries": rows, "next": None})

    nodes[0].fault = hide
    with BlockingClient(ledger.consortium.genesis, [nodes[0].url]) as client:
        assert earlier_by_others(client, client.receipt(mine.id)) == {}
