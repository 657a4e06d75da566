"""The patch beside the record."""

import pytest

from notarium.anchoring.kept_diff import keep_patch
from notarium.errors import Unwritable


def test_equal_patches_of_one_run_name_share_a_file(tmp_path):
    first = keep_patch(tmp_path / "new", "fit.run", b"patch")
    assert first.read_bytes() == b"patch"
    assert first.name.startswith("fit.run.")
    assert first.name.endswith(".code.patch")
    assert keep_patch(tmp_path / "new", "fit.run", b"patch") == first
    assert keep_patch(tmp_path / "new", "fit.run", b"other") != first


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Unwritable, match="the diff of the code cannot be kept"):
        keep_patch(tmp_path / "file", "fit.run", b"patch")
