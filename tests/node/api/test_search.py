"""GET /v1/search: filters, pages and bounds, with a crowd around the entries that are looked for."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.chains import commit
from tests.support.consortium import Consortium, digest

from notarium_node.api.costly import CostlyReads
from notarium_node.api.problems import ApiProblem
from notarium_node.api.search import MAX_EXAMINED, Search
from notarium_store.store import Store

SHARED = digest("data")
CROWD = 2 * MAX_EXAMINED + 10


@pytest.fixture(scope="module")
def consortium():
    return Consortium(4)


@pytest.fixture(scope="module")
def store(consortium, tmp_path_factory):
    """A crowd names the digest, then one model and one data set of the project "honest"."""
    with Store.open(tmp_path_factory.mktemp("search") / "store", consortium.genesis) as opened:
        named = {"subjects": [{"digest": SHARED, "role": "data"}]}
        for _ in range(3):
            bodies = [consortium.body(project="crowd", record=digest(str(n)), **named) for n in range(CROWD // 3)]
            commit(opened, consortium, [consortium.entry(each) for each in bodies])
        for kind in ("model", "dataset"):
            body = consortium.body(kind, project="honest", record=digest(kind), **named)
            commit(opened, consortium, [consortium.entry(body)])
        yield opened


@pytest.fixture
def ask(store):
    """The answer to a search, as JSON."""
    search = Search(store, CostlyReads(lambda _: "a"))

    async def page(**query: Any) -> Any:
        texts = {name: str(each) for name, each in query.items()}
        asked: Any = SimpleNamespace(query={"digest": SHARED.hex(), **texts})
        return json.loads((await search.page(asked)).text or "")

    return page


async def test_a_page_may_be_empty_and_the_next_goes_on(ask):
    """A request examines a bounded number of rows, however few of them match."""
    pages = [page := await ask(project="honest")]
    while page["next"] is not None:
        pages.append(page := await ask(project="honest", after=page["next"]))
    assert [len(each["entries"]) for each in pages] == [0, 0, 2]
    assert [each["next"] for each in pages] == [MAX_EXAMINED - 1, 2 * MAX_EXAMINED - 1, None]
    assert [row["index"] for row in pages[-1]["entries"]] == [CROWD, CROWD + 1]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, [0, 1, 2]),
        ({"after": CROWD - 2}, [CROWD - 1, CROWD, CROWD + 1]),
        ({"after": CROWD - 2, "project": "honest"}, [CROWD, CROWD + 1]),
        ({"after": CROWD - 2, "kind": "model"}, [CROWD]),
        ({"after": CROWD - 2, "kind": "dataset", "project": "honest"}, [CROWD + 1]),
        ({"after": CROWD - 2, "issuer": "m1"}, []),
        ({"after": CROWD - 2, "issuer": "m0"}, [CROWD - 1, CROWD, CROWD + 1]),
        ({"project": "hones"}, []),
    ],
)
async def test_filters(ask, filters, found):
    assert [row["index"] for row in (await ask(limit=3, **filters))["entries"]] == found


async def test_times_are_bounds_of_the_log(ask, store):
    """`since` skips the crowd without examining it; `until` ends the search."""
    model, dataset = (store.stored_header(height).header.time_ms for height in (4, 5))

    async def found(**query):
        page = await ask(**query)
        return [row["index"] for row in page["entries"]], page["next"]

    assert await found(since_ms=model) == ([CROWD, CROWD + 1], None)
    assert await found(since_ms=model + 1) == ([CROWD + 1], None)
    assert await found(since_ms=model, until_ms=dataset) == ([CROWD], None)
    assert await found(since_ms=dataset, until_ms=model) == ([], None)
    assert await found(since_ms=dataset + 1) == ([], None)
    assert await found(until_ms=0) == ([], None)
    # A page before `since` does not lead back behind it.
    assert await found(after=3, since_ms=dataset) == ([CROWD + 1], None)


async def test_a_full_page_at_the_end_has_no_next(ask):
    assert (await ask(after=CROWD - 1, limit=2))["next"] is None
    assert (await ask(after=CROWD - 1, limit=1))["next"] == CROWD


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("issuer", "x" * 256),
        ("project", "x" * 256),
        ("kind", "nonsense"),
        ("since_ms", "-1"),
        ("since_ms", "yesterday"),
        ("until_ms", 2**60),
        ("limit", 0),
        ("limit", 1001),
        ("after", -2),
        ("digest", "ab"),
    ],
)
async def test_a_bad_filter_is_named(ask, name, value):
    with pytest.raises(ApiProblem) as caught:
        await ask(**{name: value})
    assert caught.value.more["field"] == name


@pytest.fixture(scope="module")
def reviewed(consortium, tmp_path_factory):
    """A run, 40 strangers' reviews of it, and a replication that also supersedes it; the run's id, too."""
    with Store.open(tmp_path_factory.mktemp("references") / "store", consortium.genesis) as opened:
        run = consortium.entry(consortium.body("run", status="completed"))
        commit(opened, consortium, [run])
        refers = {"rel": "reviews", "entry": bytes(run.id)}
        reviews = [consortium.body("review", verdict="reject", project=f"crowd {n}", refs=[refers]) for n in range(40)]
        commit(opened, consortium, [consortium.entry(each) for each in reviews])
        both = [{**refers, "rel": rel} for rel in ("replicates", "supersedes")]
        last = consortium.body("replication", outcome="reproduced", project="honest", refs=both)
        commit(opened, consortium, [consortium.entry(last)])
        yield opened, run.id


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"limit": 2}, [1, 2]),
        ({"after": 39}, [40, 41]),
        ({"rel": "replicates"}, [41]),
        ({"rel": "supersedes", "issuer": "m0"}, [41]),
        ({"rel": "supersedes", "issuer": "m1"}, []),
        ({"rel": "derivedFrom"}, []),
        ({"kind": "review", "after": 38}, [39, 40]),
    ],
)
async def test_the_entries_that_refer_to_one_are_found_by_relation(reviewed, filters, found):
    store, id_ = reviewed
    query = {name: str(each) for name, each in filters.items()}
    asked: Any = SimpleNamespace(query=query, match_info={"id": id_.hex()})
    page = json.loads((await Search(store, CostlyReads(lambda _: "a")).references(asked)).text or "")
    assert page["id"] == id_.hex()
    assert [row["index"] for row in page["entries"]] == found
    assert all(row["relations"] == ["replicates", "supersedes"] for row in page["entries"] if row["index"] == 41)


async def test_an_unknown_relation_is_refused(reviewed):
    store, id_ = reviewed
    asked: Any = SimpleNamespace(query={"rel": "likes"}, match_info={"id": id_.hex()})
    with pytest.raises(ApiProblem, match=r"rel: not one of .*supersedes"):
        await Search(store, CostlyReads(lambda _: "a")).references(asked)
