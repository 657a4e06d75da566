"""Bodies are checked by their kind's schema; which digests they can be found by."""

from typing import Any

import pytest
from tests.support.consortium import digest, valid_body

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.commitment import (
    BODY_VERSION,
    MEMBER_KINDS,
    RESEARCH_KINDS,
    artifact_digests,
    check_body,
    is_member_body,
)
from notarium_ledger.errors import EntryOfLaterVersion, InvalidEntry


def ordered(body: dict[str, Any]) -> Any:
    return canonical.decode(canonical.encode(body))


@pytest.mark.parametrize("kind", RESEARCH_KINDS)
def test_a_body_of_each_research_kind_is_valid_and_a_researchers(kind):
    body = ordered(valid_body(kind, 1))
    assert check_body(body) is body
    assert not is_member_body(body)


@pytest.mark.parametrize("kind", RESEARCH_KINDS)
def test_an_unknown_or_a_missing_field_is_named(kind):
    body = valid_body(kind, 1)
    with pytest.raises(InvalidEntry) as caught:
        check_body(ordered({**body, "zz": 1}))
    assert caught.value.field == "body.zz"
    reason, _, known = caught.value.reason.partition("; known: ")
    assert reason == "unknown field"
    assert set(body) <= set(known.split(", ")), "the fields of this kind, all of them"
    with pytest.raises(InvalidEntry) as caught:
        check_body(ordered({name: body[name] for name in body if name != "issuer"}))
    assert (caught.value.field, caught.value.reason) == ("body.issuer", "is missing")


@pytest.mark.parametrize(
    ("kind", "relation"), [("review", "reviews"), ("replication", "replicates"), ("retraction", "supersedes")]
)
def test_what_is_about_another_entry_must_name_it(kind, relation):
    other = "derivedFrom"
    body = ordered(valid_body(kind, 1, refs=[{"rel": other, "entry": digest("r")}]))
    with pytest.raises(InvalidEntry, match=f"a {kind} needs a reference with rel {relation}"):
        check_body(body)


def test_a_later_version_is_not_invalid_but_unknown():
    later = {**valid_body("run", 1), "v": BODY_VERSION + 1, "zz": "new"}
    with pytest.raises(EntryOfLaterVersion) as caught:
        check_body(ordered(later))
    assert caught.value.field == "body.v"
    for wrong in (0, True, "2"):
        with pytest.raises(InvalidEntry) as refused:
            check_body(ordered({**valid_body("run", 1), "v": wrong}))
        assert not isinstance(refused.value, EntryOfLaterVersion)


def test_member_kinds_are_members():
    body = ordered({"v": 1, "kind": "revoke", "member": "m0", "key": bytes(32)})
    assert is_member_body(check_body(body))
    assert not RESEARCH_KINDS.keys() & MEMBER_KINDS.keys()


def test_a_commitment_is_found_by_each_digest_that_it_names_once():
    record, manifest, shared = digest("record"), digest("manifest"), digest("subject")
    body = valid_body(
        "dataset",
        1,
        record=record,
        manifest=manifest,
        subjects=[{"digest": each, "role": "data"} for each in (shared, record, shared)],
    )
    assert artifact_digests(body) == [record, manifest, shared]
