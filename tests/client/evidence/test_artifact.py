"""Names of artifacts."""

from notarium.evidence.artifact import relative_name


def test_names_are_relative_and_posix(tmp_path):
    assert relative_name(tmp_path / "a" / "b", tmp_path) == "a/b"
    assert relative_name(tmp_path / "a", tmp_path / "c") == "../a"
