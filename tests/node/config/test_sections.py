"""The fields of node.toml: defaults, and limits that are compared with one another."""

from pathlib import Path

import pytest
from tests.node.config.parts import MINIMAL, load

from notarium_node.config.reading import ConfigError
from notarium_node.peers.sizes import MIN_MESSAGE_BYTES


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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"max_message_bytes = {MIN_MESSAGE_BYTES - 1}",
            [f"max_message_bytes: {MIN_MESSAGE_BYTES - 1} is"],
        ),
        (f"send_queue_bytes = {MIN_MESSAGE_BYTES - 1}", [f"equal to {MIN_MESSAGE_BYTES}"]),
        (f"bytes_per_s = {MIN_MESSAGE_BYTES // 2 - 1}", [f"equal to {(MIN_MESSAGE_BYTES + 1) // 2}"]),
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
            "[mempool]\nmax_bytes = 134217728\n[consensus]\nblock_bytes_target = 8388609",
            ["mempool.max_bytes (134217728)", "16 times consensus.block_bytes_target (8388609)", "lower the second"],
        ),
        (
            "[mempool]\nmax_bytes = 134217728\n[api]\nmax_request_bytes = 8388609",
            ["mempool.max_bytes (134217728)", "16 times api.max_request_bytes (8388609)", "lower the second"],
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
        "[mempool]\nmax_bytes = 134217728\n[consensus]\nblock_bytes_target = 8388608\nblock_entries_target = 16",
    ],
)
def test_limits_that_just_fit(tmp_path, text):
    assert load(tmp_path, MINIMAL + text + "\n").peer.port == 7000


@pytest.mark.parametrize(
    ("peer", "api", "clash"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost", "127.0.0.1", True),
        ("node.mercy.example", "10.0.0.1", True),
        ("", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("::", "127.0.0.1", True),
        ("::1", "0:0:0:0:0:0:0:1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("::1", "127.0.0.1", False),
    ],
)
def test_one_port_for_both_sockets_needs_two_addresses(tmp_path, peer, api, clash):
    text = MINIMAL + f'host = "{peer}"\n[api]\nhost = "{api}"\nport = 7000\n'
    if not clash:
        assert load(tmp_path, text).api.port == 7000
        return
    with pytest.raises(ConfigError, match=r"peer\.port and api\.port are both 7000: choose another port"):
        load(tmp_path, text)


def test_any_free_port_is_never_the_same(tmp_path):
    config = load(tmp_path, MINIMAL.replace("7000", "0") + "[api]\nport = 0\n")
    assert (config.peer.port, config.api.port) == (0, 0)


def test_proxies_are_addresses_and_hosts_are_names(tmp_path):
    text = '[api]\nproxies = ["10.0.0.5", "fd00::0005"]\nhosts = ["ledger.intern"]\n'
    api = load(tmp_path, MINIMAL + text).api
    assert (api.proxies, api.hosts) == (("10.0.0.5", "fd00::5"), ("ledger.intern",))
    for line, named in (
        ('proxies = ["10.0.0.0/8"]', "not an IP address"),
        ('proxies = ["proxy"]', "not an IP address"),
        ('hosts = ["Ledger:8470"]', "hosts"),
        ("max_clients_per_address = 0", "max_clients_per_address"),
    ):
        with pytest.raises(ConfigError, match=named):
            load(tmp_path, f"{MINIMAL}[api]\n{line}\n")
