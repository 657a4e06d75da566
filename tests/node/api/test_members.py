"""GET /v1/members lists the whole registry, however many keys it has, and votes pass meanwhile."""

import asyncio
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from tests.support.consortium import Consortium, digest

from notarium_ledger.state.registry import Registry, Researcher
from notarium_ledger.types import Height
from notarium_node.api import members
from notarium_node.api.members import SLICE, MembersList
from notarium_node.api.views import registry_json, researchers_json


def store_with(keys):
    state = Consortium(4).state
    records = dict(state.registry.records())
    records.update((b"k" + digest(number), Researcher(number % 4).value) for number in range(keys))
    return SimpleNamespace(state=replace(state, registry=Registry.of_records(records.items())))


@pytest.mark.parametrize("keys", [0, 1, SLICE - 1, SLICE + 1, 3 * SLICE])
async def test_it_is_the_registry_with_all_keys(keys):
    store = store_with(keys)
    shown = json.loads(await MembersList(store).body())
    registry = store.state.registry
    assert shown == {**registry_json(registry, store.state.height), "researchers": [*researchers_json(registry)]}
    assert len(shown["researchers"]) == keys + 1


async def test_others_have_their_turn_between_the_slices():
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count())
    await MembersList(store_with(5 * SLICE)).body()
    counting.cancel()
    assert turns >= 5


async def test_a_small_list_is_always_the_present_one():
    store = store_with(3)
    made = MembersList(store)
    first = await made.body()
    assert await made.body() is first, "nothing was decided meanwhile"
    store.state = replace(store.state, height=Height(1))
    assert json.loads(await made.body())["height"] == 1


async def test_a_large_list_is_made_once_for_all_who_ask_within_a_few_seconds(monkeypatch):
    monkeypatch.setattr(members, "LARGE_BYTES", 1_000)
    store = store_with(2 * SLICE)
    made = MembersList(store)
    first, second = await asyncio.gather(made.body(), made.body())
    assert first is second
    store.state = replace(store.state, height=Height(1))
    assert await made.body() is first
    monkeypatch.setattr(members, "FRESH_S", 0.0)
    assert json.loads(await made.body())["height"] == 1
