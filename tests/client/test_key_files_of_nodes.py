"""Key files refuse what would let a key leak or be used for the wrong thing."""

import base64
import os

import pytest

from notarium.key_files import KeyFileError, Purpose, create_key, load_key, load_seed


def test_a_new_key_is_private_and_reads_back(tmp_path):
    path = tmp_path / "validator.key"
    before = os.umask(0)
    try:
        key = create_key(path, Purpose.VALIDATOR)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_key(path, Purpose.VALIDATOR).public == key.public
    assert path.read_text().startswith("notarium-key-v1 validator ")


def test_an_existing_key_is_never_overwritten(tmp_path):
    path = tmp_path / "admin.key"
    create_key(path, Purpose.ADMIN)
    content = path.read_bytes()
    with pytest.raises(KeyFileError, match="not overwritten"):
        create_key(path, Purpose.ADMIN)
    assert path.read_bytes() == content


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610])
def test_a_key_that_others_can_reach_is_refused_with_the_remedy(tmp_path, mode):
    path = tmp_path / "validator.key"
    create_key(path, Purpose.VALIDATOR)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"chmod 600 {path}"):
        load_key(path, Purpose.VALIDATOR)


def test_the_wrong_purpose_is_refused(tmp_path):
    path = tmp_path / "some.key"
    create_key(path, Purpose.TRANSPORT)
    with pytest.raises(KeyFileError, match="another purpose: 'transport', not 'validator'"):
        load_key(path, Purpose.VALIDATOR)


def test_a_symlink_is_followed(tmp_path):
    create_key(tmp_path / "real", Purpose.TRANSPORT)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert len(load_seed(tmp_path / "link", Purpose.TRANSPORT)) == 32


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"notarium-key-v1 admin", b"notarium-key-v1 admin !!!!\n", b"x" * 5000,
     b"notarium-key-v1 admin " + base64.b64encode(b"short") + b"\n"],
)  # fmt: skip
def test_a_damaged_file_is_refused_without_showing_its_content(tmp_path, content):
    path = tmp_path / "admin.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError) as caught:
        load_key(path, Purpose.ADMIN)
    assert str(path) in str(caught.value)
    assert "xxxx" not in str(caught.value)
    assert base64.b64encode(b"short").decode() not in str(caught.value)


def test_missing_files_and_directories_are_clear(tmp_path):
    with pytest.raises(KeyFileError, match="keygen"):
        load_key(tmp_path / "none.key", Purpose.VALIDATOR)
    with pytest.raises(KeyFileError, match="--admin-key"):
        load_key(tmp_path / "none.key", Purpose.ADMIN)
    with pytest.raises(KeyFileError, match="not a regular file"):
        load_key(tmp_path, Purpose.ADMIN)
    with pytest.raises(KeyFileError, match="cannot create"):
        create_key(tmp_path / "no" / "such" / "dir.key", Purpose.ADMIN)
