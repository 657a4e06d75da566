"""From a backup to a directory: everything or nothing, never over something, and without a memory."""

import io
import json
import stat
import tarfile

import pytest
from tests.node.operator.backups import PASSPHRASE, made
from tests.support.chains import grow
from tests.support.consortium import Consortium

from notarium.key_files import Purpose, load_key
from notarium_node.config.sections import FIRST_START
from notarium_node.operator.backup import BackupError
from notarium_node.operator.ledger_copy import CopyError
from notarium_node.operator.restore import is_sealed, restore
from notarium_node.operator.sealed_file import SealError
from notarium_store import Store


def nothing(*_):
    """No progress."""


@pytest.fixture
async def backup(founded_node, tmp_path):
    return await made(founded_node, tmp_path / "backup")


@pytest.fixture
def ledger(founded_node, tmp_path):
    """The node serves a ledger of three blocks now."""
    consortium = Consortium(4)
    (founded_node / "genesis.json").write_bytes(consortium.genesis.encode_json())
    config = founded_node / "node.toml"
    pin = next(line for line in config.read_text().splitlines() if line.startswith("genesis_hash"))
    config.write_text(config.read_text().replace(pin, f'genesis_hash = "{consortium.genesis.hash.hex()}"'))
    with Store.open(tmp_path / "source", consortium.genesis) as store:
        return consortium, [each.encode() for each in grow(store, consortium, [300, 1, 2])]


def left(tmp_path):
    return sorted(each.name for each in tmp_path.iterdir())


def test_what_was_there_is_there_again_and_no_mark_of_a_first_start(backup, founded_node, tmp_path):
    target = tmp_path / "new"
    restored = restore(backup, target, PASSPHRASE, nothing)
    assert (restored.height, restored.summary.member) == (0, "mercy")
    for name in restored.files:
        assert (target / name).read_bytes() == (founded_node / name).read_bytes()
        assert stat.S_IMODE((target / name).stat().st_mode) == 0o600
    assert load_key(target / "keys" / "validator.key", Purpose.VALIDATOR).public.hex() == restored.summary.node
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert list((target / "store").iterdir()) == []
    assert (founded_node / "store" / FIRST_START).exists()
    assert restored.notes == ()


async def test_a_file_that_the_configuration_looks_for_elsewhere_is_named(founded_node, tmp_path):
    config = founded_node / "node.toml"
    config.write_text(config.read_text().replace("[node]\n", '[node]\ngenesis = "../genesis.json"\n'))
    path = await made(founded_node, tmp_path / "backup")
    (note,) = restore(path, tmp_path / "new", PASSPHRASE, nothing).notes
    assert "node.genesis" in note


async def test_the_ledger_is_verified_and_its_store_remembers_nothing(founded_node, ledger, tmp_path):
    consortium, blocks = ledger
    path = await made(founded_node, tmp_path / "backup", blocks=blocks)
    assert restore(path, tmp_path / "new", PASSPHRASE, nothing).height == 3
    with Store.open(tmp_path / "new" / "store", consortium.genesis) as store:
        assert store.state.height == 3
        assert store.owner is None


async def test_a_forged_ledger_leaves_nothing(founded_node, ledger, tmp_path):
    _, blocks = ledger
    for wrong, error in (([blocks[0], blocks[2]], CopyError), ([*blocks[:2], blocks[2][:-1] + b"\x00"], CopyError)):
        path = await made(founded_node, tmp_path / "backup", blocks=wrong)
        before = left(tmp_path)
        with pytest.raises(error):
            restore(path, tmp_path / "new", PASSPHRASE, nothing)
        assert left(tmp_path) == before
        path.unlink()


def test_a_check_says_the_same_and_leaves_nothing(backup, tmp_path):
    before = left(tmp_path)
    assert restore(backup, tmp_path / "new", PASSPHRASE, nothing, only_check=True).files
    assert left(tmp_path) == before


def test_nothing_is_overwritten(backup, founded_node, tmp_path):
    for directory in (founded_node, tmp_path / "genesis.json"):
        with pytest.raises(BackupError, match="not empty"):
            restore(backup, directory, PASSPHRASE, nothing)
    (tmp_path / "empty").mkdir()
    restore(backup, tmp_path / "empty", PASSPHRASE, nothing)


def test_a_wrong_passphrase_or_a_damaged_file_leaves_nothing(backup, tmp_path):
    before = left(tmp_path)
    with pytest.raises(SealError, match="passphrase"):
        restore(backup, tmp_path / "new", PASSPHRASE + b"!", nothing)
    content = backup.read_bytes()
    for damaged in (content[:-1], content[: len(content) // 2], content + b"x", b"", content[:30]):
        backup.write_bytes(damaged)
        with pytest.raises((SealError, BackupError)):
            restore(backup, tmp_path / "new", PASSPHRASE, nothing)
        assert left(tmp_path) == before


def archive(path, *members):
    """A plain archive of (name, content) or of TarInfo."""
    with tarfile.open(path, "w") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                name, content = member
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
async def plain(founded_node, tmp_path):
    """The members of a backup without keys, as (name, content)."""
    path = await made(founded_node, tmp_path / "plain", passphrase=None, with_keys=False)
    with tarfile.open(path) as tar:
        members = [(each.name, tar.extractfile(each).read()) for each in tar]  # type: ignore[union-attr]
    path.unlink()
    return members


def test_the_plain_form_is_restored_without_a_passphrase(plain, tmp_path):
    path = archive(tmp_path / "b", *plain)
    assert not is_sealed(path)
    assert not restore(path, tmp_path / "new", None, nothing).summary.has_keys


def link(name):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, "elsewhere"
    return info


@pytest.mark.parametrize(
    "wrong",
    [
        ("../outside", b""),
        ("/absolute", b""),
        ("keys/../../outside", b""),
        ("store/CURRENT", b""),
        ("node.toml", b"twice"),
        (".hidden", b""),
        link("a-link"),
    ],
    ids=lambda each: each.name if isinstance(each, tarfile.TarInfo) else each[0],
)
def test_a_name_that_no_backup_has_is_refused(plain, tmp_path, wrong):
    path = archive(tmp_path / "b", *plain[:-1], wrong, plain[-1])
    before = left(tmp_path)
    with pytest.raises(BackupError, match=r"file of a node|no plain file"):
        restore(path, tmp_path / "new", None, nothing)
    assert left(tmp_path) == before


def test_an_archive_without_its_beginning_or_end_is_refused(plain, tmp_path):
    for members in (plain[1:], plain[:-1], [plain[-1], *plain], [*plain, ("more", b"")]):
        with pytest.raises(BackupError):
            restore(archive(tmp_path / "b", *members), tmp_path / "new", None, nothing)


def test_parts_of_two_nodes_or_ledgers_are_no_backup(plain, tmp_path):
    said = json.loads(plain[0][1])
    for change in ({"genesis": "00" * 32}, {"has_keys": 1}, {"more": 1}, {"format": "notarium-backup/2"}):
        members = [("backup.json", json.dumps({**said, **change}).encode()), *plain[1:]]
        with pytest.raises(BackupError):
            restore(archive(tmp_path / "b", *members), tmp_path / "new", None, nothing)
    config = dict(plain)["node.toml"].replace(said["genesis"].encode(), b"00" * 32)
    members = [(name, config if name == "node.toml" else content) for name, content in plain]
    with pytest.raises(BackupError, match="pins 0000"):
        restore(archive(tmp_path / "b", *members), tmp_path / "new", None, nothing)


def test_a_key_of_another_node_is_no_part_of_it(plain, founded_node, tmp_path):
    said = {**json.loads(plain[0][1]), "has_keys": True, "node": "00" * 32}
    key = ("keys/validator.key", (founded_node / "keys" / "validator.key").read_bytes())
    members = [("backup.json", json.dumps(said).encode()), *plain[1:-1], key, plain[-1]]
    with pytest.raises(BackupError, match="its key is that of node"):
        restore(archive(tmp_path / "b", *members), tmp_path / "new", None, nothing)
