"""The genesis document in a file: what the error for a wrong one says."""

import pytest

from notarium.errors import ProjectError
from notarium.genesis_file import read_genesis


def test_it_reads_back(ledger, tmp_path):
    genesis = ledger.consortium.genesis
    (tmp_path / "g.json").write_bytes(genesis.encode_json())
    assert read_genesis(tmp_path / "g.json").hash == genesis.hash


def test_a_file_that_is_not_there_or_something_else_is_named_with_the_remedy(tmp_path):
    with pytest.raises(ProjectError, match=r"nowhere\.json: No such file or directory; get it from your institution"):
        read_genesis(tmp_path / "nowhere.json")
    (tmp_path / "g.json").write_text("{}")
    with pytest.raises(ProjectError, match=r"g\.json is not a valid genesis file"):
        read_genesis(tmp_path / "g.json")
