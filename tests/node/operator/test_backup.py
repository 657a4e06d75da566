"""A backup holds what others cannot give back, and never what the node has signed."""

import stat
import tarfile

import pytest
from tests.node.operator.backups import PASSPHRASE, files_in, made, summary

from notarium_node.config.reading import load_config
from notarium_node.operator.backup import BackupError, files_of, new_file, write
from notarium_node.operator.restore import restore


def test_the_files_of_a_node(founded_node):
    config = load_config(founded_node / "node.toml", {})
    (founded_node / "VOTE-FROM").write_text("7\n")
    files, outside = files_of(config, founded_node / "node.toml", with_keys=True)
    assert [each.name for each in files] == [
        "node.toml",
        "genesis.json",
        "mercy.card.json",
        "VOTE-FROM",
        "keys/validator.key",
        "keys/transport.key",
    ]
    assert outside == []
    assert not any("admin" in each.name or "store" in each.name for each in files)


def test_tls_files_are_taken_from_the_data_directory_and_named_elsewhere(founded_node, tmp_path):
    inside, elsewhere = founded_node / "tls" / "api.pem", tmp_path / "api.key"
    text = (founded_node / "node.toml").read_text()
    tls = f'tls_certificate = "{inside}"\ntls_key = "{elsewhere}"\n'
    (founded_node / "node.toml").write_text(text.replace("[api]\n", f"[api]\n{tls}"))
    config = load_config(founded_node / "node.toml", {})
    files, outside = files_of(config, founded_node / "node.toml", with_keys=True)
    assert "tls/api.pem" in [each.name for each in files]
    assert outside == [elsewhere]


async def test_a_name_that_a_restored_node_does_not_have_is_left_out_and_named(founded_node, tmp_path):
    """It would make a backup that nobody can restore."""
    for name in ("certs/api.pem", "tls/é.pem", f"tls/{'x' * 92}"):
        path = founded_node / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("certificate")
        text = (founded_node / "node.toml").read_text()
        changed = founded_node / "other.toml"
        changed.write_text(text.replace("[api]\n", f'[api]\ntls_certificate = "{path}"\ntls_key = "x"\n'))
        files, outside = files_of(load_config(changed, {}), changed, with_keys=False)
        assert outside == [path]
        with new_file(tmp_path / "b") as file:
            await write(file, summary(founded_node, has_keys=False), files, None, None)
        assert restore(tmp_path / "b", tmp_path / "new", None, lambda *_: None, only_check=True).files
        (tmp_path / "b").unlink()


async def test_secret_keys_are_never_written_in_clear(founded_node, tmp_path):
    with pytest.raises(BackupError, match="never written without encryption"):
        await made(founded_node, tmp_path / "b", passphrase=None, with_keys=True)
    assert not (tmp_path / "b").exists()


async def test_without_keys_it_is_a_plain_archive_for_its_owner_only(founded_node, tmp_path):
    path = await made(founded_node, tmp_path / "b", passphrase=None, with_keys=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as archive:
        names = archive.getnames()
    assert names == ["backup.json", "node.toml", "genesis.json", "mercy.card.json", "end.json"]
    assert b"notarium-key" not in path.read_bytes()


async def test_with_keys_nothing_of_it_can_be_read(founded_node, tmp_path):
    path = await made(founded_node, tmp_path / "b")
    content = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for secret in (b"notarium-key", b"mercy", b"genesis_hash"):
        assert secret not in content
    assert PASSPHRASE not in content


async def test_an_existing_file_stays_and_a_failure_leaves_none(founded_node, tmp_path):
    path = tmp_path / "b"
    path.write_bytes(b"mine")
    with pytest.raises(BackupError, match="not overwritten"):
        await made(founded_node, path)
    assert path.read_bytes() == b"mine"
    (founded_node / "genesis.json").unlink()
    with pytest.raises(FileNotFoundError), new_file(tmp_path / "other") as file:
        await write(file, summary(founded_node), files_in(founded_node), None, PASSPHRASE)
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_file()) == ["b", "genesis.json"]
