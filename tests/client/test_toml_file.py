"""A configuration file: what the error for a wrong one says."""

import pytest

from notarium.toml_file import MAX_TOML_BYTES, InvalidToml, read_toml


def test_it_is_read(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"[a]\r\nb = 1\r\n")
    assert read_toml(tmp_path / "a.toml") == {"a": {"b": 1}}
    with pytest.raises(FileNotFoundError):
        read_toml(tmp_path / "b.toml")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[a]\nb = 1\n[a]\n", ["Cannot declare ('a',) twice", "at line 3", "one heading only"]),
        (b"[a]\nb = 1\nb = 2\n", ["at line 3", "each of them once"]),
        (b"[a]\nb = x\n", ["is not TOML: Invalid value", "at line 2", "Correct it there"]),
        (b"[a\n", ["at line 1", "Correct it there"]),
        (b'[a]\nb = "', ["at end of document", "Correct it there"]),
        (b"[a]\n# caf\xe9\n", ["is not UTF-8 (at line 2): save it as UTF-8"]),
        (b"a = " + b"[" * 5000, ["nested too deeply"]),
        (b"a = " + b"9" * 5000, ["a number of thousands of digits", "correct it"]),
        (b"#" * (MAX_TOML_BYTES + 1), [f"more than {MAX_TOML_BYTES} bytes", "shorten it"]),
    ],
)
def test_an_error_names_file_line_and_remedy(tmp_path, content, said):
    path = tmp_path / "a.toml"
    path.write_bytes(content)
    with pytest.raises(InvalidToml) as caught:
        read_toml(path)
    for each in [str(path), *said]:
        assert each in str(caught.value)
