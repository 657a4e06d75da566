"""What keygen and init write, and that they write nothing where something is wrong."""

import tomllib

import pytest

from notarium.key_files import KeyFileError, Purpose, load_key
from notarium_ledger.state.genesis import Genesis
from notarium_node.identity.card import CardError, read_card
from notarium_node.operator.ceremony import make_genesis
from notarium_node.operator.setup import NodeDescription, SetupError, initialise, make_keys, write_new
from notarium_node.startup import StartupError

MERCY = NodeDescription("mercy", "Mercy Hospital", "validator", "node.mercy.example:7470", "https://node.mercy.example")


def files(directory):
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


@pytest.fixture
def founded(tmp_path):
    """A node's directory with keys, and the genesis of this one node."""
    made = make_keys(tmp_path / "node", MERCY)
    genesis = make_genesis("Demo", [read_card(made.card)])
    path = tmp_path / "genesis.json"
    path.write_bytes(genesis.encode_json())
    return tmp_path / "node", path, genesis.hash.hex()


def test_keys_and_card_belong_together(tmp_path):
    made = make_keys(tmp_path, MERCY)
    assert files(tmp_path) == ["keys/admin.key", "keys/transport.key", "keys/validator.key", "mercy.card.json"]
    assert [path.name for path in made.keys] == ["admin.key", "validator.key", "transport.key"]
    card = read_card(made.card)
    assert card.member.key == load_key(tmp_path / "keys" / "admin.key", Purpose.ADMIN).public
    assert card.node.key == load_key(tmp_path / "keys" / "validator.key", Purpose.VALIDATOR).public
    assert (card.node.address, card.node.api) == (MERCY.address, MERCY.api)


def test_a_ror_id_names_the_card_by_its_last_part(tmp_path):
    described = NodeDescription("https://ror.org/01an7q238", "A", "observer", "a.example:1")
    assert make_keys(tmp_path, described).card == tmp_path / "01an7q238.card.json"


@pytest.mark.parametrize(
    ("description", "error"),
    [
        (NodeDescription("mercy", "Mercy", "validator", "nowhere"), SetupError),
        (NodeDescription("mercy", "Mercy", "validator", "a:1", "ftp://a"), SetupError),
        (NodeDescription("mercy", "Mercy", "king", "a:1"), CardError),
        (NodeDescription("NO SPACES", "Mercy", "validator", "a:1"), CardError),
    ],
)
def test_a_description_that_no_card_can_have_writes_nothing(tmp_path, description, error):
    with pytest.raises(error):
        make_keys(tmp_path / "node", description)
    assert not (tmp_path / "node").exists()


def test_existing_keys_are_never_overwritten(tmp_path):
    make_keys(tmp_path, MERCY)
    before = (tmp_path / "keys" / "validator.key").read_bytes()
    with pytest.raises(KeyFileError, match="not overwritten"):
        make_keys(tmp_path, MERCY)
    assert (tmp_path / "keys" / "validator.key").read_bytes() == before


def test_init_makes_configuration_genesis_store_and_the_mark_of_the_first_start(founded):
    directory, genesis, hash_ = founded
    made = initialise(directory, genesis, hash_)
    assert made.admin_key == directory / "keys" / "admin.key"
    assert made.record.member == "mercy"
    assert set(files(directory)) >= {"genesis.json", "node.toml", "store/FIRST-START"}
    written = tomllib.loads(made.config.read_text())
    assert written == {
        "node": {"genesis_hash": hash_},
        "peer": {"host": "", "port": 7470},
        "api": {"host": "127.0.0.1", "port": 443},
    }
    assert Genesis.decode_json((directory / "genesis.json").read_bytes()).hash.hex() == hash_


def test_used_keys_leave_no_mark_of_a_first_start(founded):
    directory, genesis, hash_ = founded
    initialise(directory, genesis, hash_, used_keys=True)
    assert not (directory / "store" / "FIRST-START").exists()


def test_init_reports_all_that_is_wrong_with_the_keys_and_writes_nothing(founded):
    directory, genesis, hash_ = founded
    before = files(directory)
    for name in ("validator", "transport"):
        (directory / "keys" / f"{name}.key").chmod(0o644)
    with pytest.raises(StartupError) as caught:
        initialise(directory, genesis, hash_)
    assert len(caught.value.findings) == 2
    assert files(directory) == before


@pytest.mark.parametrize("listen", [("nowhere", ""), ("", "nowhere")])
def test_an_address_that_cannot_be_listened_on_writes_nothing(founded, listen):
    directory, genesis, hash_ = founded
    before = files(directory)
    with pytest.raises(SetupError, match="HOST:PORT"):
        initialise(directory, genesis, hash_, listen=listen[0], api_listen=listen[1])
    assert files(directory) == before


def test_a_store_without_configuration_is_not_initialised_again(founded):
    directory, genesis, hash_ = founded
    initialise(directory, genesis, hash_)
    (directory / "node.toml").unlink()
    (directory / "store" / "CURRENT").touch()
    (directory / "keys" / "validator.key").unlink()
    make_keys(directory / "other", MERCY)
    (directory / "other" / "keys" / "validator.key").replace(directory / "keys" / "validator.key")
    with pytest.raises(SetupError, match="has a store already"):
        initialise(directory, genesis, hash_)


def test_a_file_is_written_once_and_may_be_there_with_the_same_content(tmp_path):
    path = tmp_path / "file"
    write_new(path, b"one", "card")
    write_new(path, b"one", "card")
    with pytest.raises(SetupError, match="a different card"):
        write_new(path, b"two", "card")
    assert path.read_bytes() == b"one"
    with pytest.raises(SetupError, match="cannot write"):
        write_new(tmp_path / "missing" / "file", b"one", "card")
