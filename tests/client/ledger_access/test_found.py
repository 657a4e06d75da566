"""What is looked for, as a request asks for it."""

import pytest

from notarium.errors import ProjectError
from notarium.ledger_access.found import Wanted, entry_id


def test_a_digest_is_searched_for_and_an_id_is_referred_to():
    digest = bytes(range(32))
    assert (Wanted(digest).path, Wanted(digest, kind="run").query()["digest"]) == ("/v1/search", digest.hex())
    referring = Wanted(digest, is_referred=True, relation="retracts")
    assert referring.path == f"/v1/references/{digest.hex()}"
    assert referring.query()["rel"] == "retracts"
    assert "digest" not in referring.query(), "it stands in the path"


@pytest.mark.parametrize("value", ["", "ab" * 31, "xy" * 32, b"x" * 31])
def test_what_is_no_id_is_named(value):
    with pytest.raises(ProjectError, match="64 hexadecimal digits expected"):
        entry_id(value)
    assert entry_id("ab" * 32) == entry_id(bytes.fromhex("ab" * 32))
