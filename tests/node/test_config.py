"""Configuration: defaults, overrides, and errors that say what to do."""

from pathlib import Path

import pytest

from notarium_node.config import ConfigError, load_config
from notarium_node.peers.sizes import MIN_MESSAGE_BYTES

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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"max_message_bytes = {MIN_MESSAGE_BYTES - 1}",
            [
                f"max_message_bytes ({MIN_MESSAGE_BYTES - 1})",
                "an answer with blocks",
                f"raise it to {MIN_MESSAGE_BYTES}",
            ],
        ),
        ("send_queue_bytes = 33554431", ["send_queue_bytes (33554431)", "max_message_bytes (33554432)", "raise it"]),
        ("bytes_per_s = 16777215", ["bytes_per_s (16777215)", "max_message_bytes (33554432)", "raise it"]),
        (
            "reconnect_first_ms = 9000",
            ["reconnect_first_ms (9000) exceeds reconnect_last_ms (5000): lower the first or raise the second"],
        ),
        (
            "[consensus]\nbase_timeout_ms = 90000",
            ["base_timeout_ms (90000) exceeds max_timeout_ms (10000): lower the first or raise the second"],
        ),
        (
            "[mempool]\nmax_bytes = 16777216\n[consensus]\nblock_bytes_target = 8388609",
            ["mempool.max_bytes (16777216)", "consensus.block_bytes_target (8388609)", "lower the second"],
        ),
        (
            "[mempool]\nmax_bytes = 16777216\n[api]\nmax_request_bytes = 8388609",
            ["mempool.max_bytes (16777216)", "api.max_request_bytes (8388609)", "lower the second"],
        ),
        ("[consensus]\nblock_entries_target = 15", ["block_entries_target", "16"]),
    ],
)
def test_limits_are_compared_with_one_another(tmp_path, text, expected):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, MINIMAL + text + "\n")
    for part in [*expected, "node.toml: "]:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        f"max_message_bytes = {MIN_MESSAGE_BYTES}\nsend_queue_bytes = {MIN_MESSAGE_BYTES}\n"
        f"bytes_per_s = {(MIN_MESSAGE_BYTES + 1) // 2}",
        "[mempool]\nmax_bytes = 16777216\n[consensus]\nblock_bytes_target = 8388608\nblock_entries_target = 16",
    ],
)
def test_limits_that_just_fit(tmp_path, text):
    assert load(tmp_path, MINIMAL + text + "\n").peer.port == 7000


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
