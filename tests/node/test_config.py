"""Configuration: defaults, overrides, and errors that say what to do."""

from pathlib import Path

import pytest

from notarium_node.config import ConfigError, load_config

HASH = "ab" * 32
MINIMAL = f'[node]\ngenesis_hash = "{HASH}"\n[peer]\nport = 7000\n'


def load(tmp_path, text, **environment):
    path = tmp_path / "node.toml"
    path.write_text(text)
    return load_config(path, environment)


def test_a_minimal_file_has_sound_defaults_relative_to_itself(tmp_path):
    config = load(tmp_path, MINIMAL)
    assert config.node.data_dir == tmp_path
    assert config.node.genesis == tmp_path / "genesis.json"
    assert config.node.validator_key == tmp_path / "keys" / "validator.key"
    assert config.node.transport_key == tmp_path / "keys" / "transport.key"
    assert config.node.store_dir == tmp_path / "store"
    assert (config.peer.port, config.api.port, config.log.format) == (7000, 8470, "json")
    assert config.peer.limits().heartbeat_s == 6.0


def test_paths_follow_data_dir_unless_given(tmp_path):
    text = MINIMAL.replace("[node]\n", '[node]\ndata_dir = "data"\nvalidator_key = "/run/secrets/v.key"\n')
    config = load(tmp_path, text)
    assert config.node.store_dir == tmp_path / "data" / "store"
    assert config.node.transport_key == tmp_path / "data" / "keys" / "transport.key"
    assert config.node.validator_key == Path("/run/secrets/v.key")


def test_the_environment_overrides_and_may_add_sections(tmp_path):
    config = load(
        tmp_path,
        MINIMAL,
        NOTARIUM_NODE_PEER__PORT="9000",
        NOTARIUM_NODE_PEER__HOST="::1",
        NOTARIUM_NODE_LOG__LEVEL="debug",
        NOTARIUM_NODE_NODE__DATA_DIR="elsewhere",
        OTHER="x",
    )
    assert (config.peer.port, config.peer.host, config.log.level) == (9000, "::1", "debug")
    assert config.node.store_dir == tmp_path / "elsewhere" / "store"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MINIMAL.replace("7000", "70000"), ["peer.port: 70000", "65535", "NOTARIUM_NODE_PEER__PORT"]),
        (MINIMAL.replace("7000", '"7000"'), ["peer.port: '7000'", "integer"]),
        (MINIMAL.replace("7000", "true"), ["peer.port: True"]),
        (MINIMAL + "prot = 1\n", ["peer.prot is unknown (did you mean port?)"]),
        (MINIMAL + "[perr]\n", ["perr is unknown (did you mean peer?)"]),
        ("[peer]\nport = 1\n", ["node: the section is missing: add [node]"]),
        (MINIMAL.replace(HASH, "AB" * 32), ["node.genesis_hash"]),
        ("[node]\n[peer]\nport = 1\n", ["node.genesis_hash is missing", "NOTARIUM_NODE_NODE__GENESIS_HASH"]),
        (MINIMAL + '[log]\nlevel = "loud"\n', ["log.level: 'loud'", "'debug'"]),
        (MINIMAL + '[api]\ntls_key = "k"\n', ["api: tls_certificate and tls_key belong together"]),
        (MINIMAL + "[consensus]\nbase_timeout_ms = 90000\n", ["base_timeout_ms must not exceed max_timeout_ms"]),
        (MINIMAL + "send_queue_bytes = 2000000\n", ["send_queue_bytes must hold at least one message"]),
        ("peer = 5\n", ["peer: 5 is not allowed"]),
        ("[node]\ndata_dir = 5\n[peer]\nport = 1", ["node.data_dir: 5 is not allowed"]),
        ("][", ["is not TOML"]),
        (MINIMAL + "host = 2020-01-01\n", []),
    ],
)
def test_errors_name_field_limit_and_remedy(tmp_path, text, expected):
    if not expected:
        # A date is text in our eyes: odd, but harmless and visible.
        assert load(tmp_path, text).peer.host == "2020-01-01"
        return
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    for part in [*expected, "node.toml"]:
        assert part in str(caught.value)


def test_all_errors_are_reported_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "[node]\n[peer]\nport = -1\nhots = 1\n")
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("name", ["NOTARIUM_NODE_PEER__PROT", "NOTARIUM_NODE_PEER", "NOTARIUM_NODE_X__Y"])
def test_a_mistyped_variable_is_an_error(tmp_path, name):
    with pytest.raises(ConfigError, match=name):
        load(tmp_path, MINIMAL, **{name: "1"})
    with pytest.raises(ConfigError, match=r"did you mean NOTARIUM_NODE_PEER__PORT\?"):
        load(tmp_path, MINIMAL, NOTARIUM_NODE_PEER__PROT="1")


def test_all_mistyped_variables_are_reported_at_once(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, MINIMAL, NOTARIUM_NODE_PEER__PROT="1", NOTARIUM_NODE_X__Y="2", NOTARIUM_NODE_PEER__PORT="9000")
    first, second = str(caught.value).splitlines()
    assert first.startswith("environment variable NOTARIUM_NODE_PEER__PROT does not name a field")
    assert second.startswith("environment variable NOTARIUM_NODE_X__Y does not name a field")


def test_a_missing_file_is_an_error_with_a_remedy(tmp_path):
    with pytest.raises(ConfigError, match="notarium-node init"):
        load_config(tmp_path / "none.toml", {})
