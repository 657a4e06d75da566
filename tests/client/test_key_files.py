"""A researcher's key file; those of an institution are tested in tests/node/identity/test_keys.py."""

import os

import pytest

from notarium.errors import ProjectError
from notarium.key_files import Purpose, create_key, load_key


def test_a_key_is_private_never_overwritten_and_reads_back(tmp_path):
    path = tmp_path / "keys" / "a.key"
    public = create_key(path).public
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_key(path).public == public
    with pytest.raises(ProjectError, match="not overwritten"):
        create_key(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a key file"),
        ("notarium-key-v2 researcher AAAA\n", "not a key file"),
        ("notarium-key-v1 admin AAAA\n", "another purpose"),
        ("notarium-key-v1 researcher !!!!\n", "damaged"),
        ("notarium-key-v1 researcher AAAA\n", "3 bytes"),
        ("notarium-key-v1 researcher " + "A" * 400 + "\n", "not a key file"),
        ("notarium-key-v1 researcher \ud800\n", "not a key file|damaged"),
    ],
)
def test_a_wrong_key_file_says_what_is_wrong_and_shows_nothing(tmp_path, content, message):
    path = tmp_path / "a.key"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    path.chmod(0o600)
    with pytest.raises(ProjectError, match=message) as caught:
        load_key(path)
    assert "AAAA" not in str(caught.value)


def test_a_key_that_others_can_read_is_not_used(tmp_path):
    create_key(tmp_path / "a.key")
    (tmp_path / "a.key").chmod(0o640)
    with pytest.raises(ProjectError, match="chmod 600"):
        load_key(tmp_path / "a.key")
    with pytest.raises(ProjectError, match="notarium init"):
        load_key(tmp_path / "b.key")
    os.mkfifo(tmp_path / "c.key", 0o600)
    with pytest.raises(ProjectError, match="not a regular file"):
        load_key(tmp_path / "c.key")


def test_each_purpose_names_its_own_remedy(tmp_path):
    with pytest.raises(ProjectError, match=r"the researcher key .* does not exist: run 'notarium init --genesis"):
        load_key(tmp_path / "a.key", Purpose.RESEARCHER)
    with pytest.raises(ProjectError, match=r"the admin key .* does not exist: give the file .* with --admin-key$"):
        load_key(tmp_path / "a.key", Purpose.ADMIN)
    with pytest.raises(ProjectError, match=r"the validator key .* does not exist: .* 'notarium-node keygen'$"):
        load_key(tmp_path / "a.key", Purpose.VALIDATOR)
    create_key(tmp_path / "b.key")
    (tmp_path / "b.key").chmod(0o644)
    with pytest.raises(ProjectError, match="have the key revoked"):
        load_key(tmp_path / "b.key")


def test_only_a_researchers_folder_is_made(tmp_path):
    create_key(tmp_path / "keys" / "researcher.key", Purpose.RESEARCHER)
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0
    with pytest.raises(ProjectError, match="cannot create"):
        create_key(tmp_path / "other" / "admin.key", Purpose.ADMIN)
