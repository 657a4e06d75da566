"""Values of the ledger as JSON: nothing is lost, and bytes are hex."""

import json

from tests.support.consortium import Consortium

from notarium_ledger.state.records import DayUse
from notarium_ledger.types import Height
from notarium_node.api.views import entry_json, jsonable, registry_json, researchers_json


def test_an_entry_is_readable_and_there_whole():
    raw = Consortium(1).entry().raw
    shown = entry_json(raw)
    assert json.loads(json.dumps(shown)) == shown
    assert shown["body"]["kind"] == shown["kind"]
    assert len(bytes.fromhex(shown["id"])) == len(bytes.fromhex(shown["author"])) == 32


def test_the_registry_lists_members_nodes_and_validators_in_order():
    consortium = Consortium(4)
    registry = consortium.genesis.registry
    shown = registry_json(registry, consortium.state.height)
    assert json.loads(json.dumps(shown)) == shown
    assert [each["id"] for each in shown["members"]] == sorted(registry.members)
    assert [each["key"] for each in shown["nodes"]] == sorted(key.hex() for key in registry.nodes)
    assert shown["quorum"] == 3
    assert shown["state_root"] == registry.hash.hex()


def test_a_member_is_listed_with_what_it_wrote_on_its_last_day():
    consortium = Consortium(4)
    registry = consortium.genesis.registry.with_uses({"m1": DayUse(20_000, 7, 900, 2)})
    written = [each["written"] for each in registry_json(registry, Height(1))["members"]]
    assert written == [None, {"day": "2024-10-04", "entries": 7, "bytes": 900, "statements": 2}, None, None]


def test_a_key_is_listed_with_its_member_and_is_revoked_when_the_member_is_gone():
    consortium = Consortium(5, researchers=5)
    registry = consortium.genesis.registry.without_member("m4")
    listed = {each["key"]: (each["member"], each["revoked"]) for each in researchers_json(registry)}
    assert listed == {
        each.public.hex(): (None, True) if number == 4 else (f"m{number}", False)
        for number, each in enumerate(consortium.researcher_keys)
    }


def test_bytes_are_hex_at_any_depth():
    assert jsonable({"a": [b"\x01", {"b": b""}], "n": 7, "t": "text"}) == {"a": ["01", {"b": ""}], "n": 7, "t": "text"}
