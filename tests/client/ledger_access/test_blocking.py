"""The client for code that is not async does the same, from any thread and inside a running loop."""

import pytest
from tests.client.fake_node import problem
from tests.client.helpers import body
from tests.support.consortium import digest

from notarium.errors import ExitCode, NotAnchored, QuotaUsedUp
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


def test_a_batch_above_a_quota_is_an_exception_that_says_so(ledger, nodes):
    said = "this key may submit 40 entries a day to this node (max_key_day_entries); submit it later"

    async def above_quota(request):
        return problem(429, "quota", f"key: {said}", field="key", limit=40)

    for each in nodes:
        each.fault = above_quota
    consortium = ledger.consortium
    urls = [each.url for each in nodes]
    with (
        BlockingClient(consortium.genesis, urls, consortium.researcher, timeout=0.5) as client,
        pytest.raises(QuotaUsedUp) as caught,
    ):
        client.submit_batch([body(ledger), body(ledger, project="other")])
    assert str(caught.value) == f"the quota is used up: {said}"
    assert caught.value.exit_code is ExitCode.NOT_ANCHORED
    assert sorted(each.url for each in caught.value.reports) == sorted(urls)
