"""How node.toml and the environment are read: overrides, and errors that name the source, the field and the remedy."""

import pytest
from tests.node.config.parts import HASH, MINIMAL, load

from notarium_node.config.reading import ConfigError, load_config


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
        ("[consensus]\nresend_ms = 5\n[consensus]\n", ["twice (at line 3", "Each section may have one heading only"]),
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


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("PEER__PORT", "70000", "peer.port: 70000 is not allowed: input should be less than or equal to 65535."),
        ("PEER__HOST", "7", "peer.host: 7 is not allowed"),
        ("LOG__LEVEL", "loud", "log.level: 'loud' is not allowed"),
        ("NODE__GENESIS_HASH", "AB" * 32, "node.genesis_hash: 'AB"),
        ("NODE__DATA_DIR", "~nobody-here/x", "node.data_dir: there is no user ~nobody-here"),
    ],
)
def test_a_value_of_the_environment_is_not_blamed_on_the_file(tmp_path, field, value, said):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, MINIMAL, **{f"NOTARIUM_NODE_{field}": value})
    assert str(caught.value).startswith(f"NOTARIUM_NODE_{field}: {said}")
    assert "node.toml" not in str(caught.value)


def test_an_error_in_two_values_names_where_each_comes_from(tmp_path):
    def sources(text, *fields, **environment):
        with pytest.raises(ConfigError) as caught:
            load(tmp_path, MINIMAL + text, **{f"NOTARIUM_NODE_{name}": value for name, value in environment.items()})
        found, _, rest = str(caught.value).partition(": ")
        assert all(each in rest for each in fields)
        return found.replace(str(tmp_path), "").split(" and ")

    first, last = "RECONNECT_FIRST_MS", "RECONNECT_LAST_MS"
    both = {f"PEER__{first}": "9000", f"PEER__{last}": "8000"}
    fields = (first.lower(), last.lower())
    assert sources("reconnect_first_ms = 9000", *fields) == ["/node.toml"]
    assert sources("", *fields, **{f"PEER__{first}": "9000"}) == [f"NOTARIUM_NODE_PEER__{first}", "/node.toml"]
    assert sources("", *fields, **both) == [f"NOTARIUM_NODE_PEER__{first}", f"NOTARIUM_NODE_PEER__{last}"]
    assert sources("", "tls_key", API__TLS_KEY="k") == ["/node.toml", "NOTARIUM_NODE_API__TLS_KEY"]
    assert sources("", "peer.port", "api.port", API__PORT="7000") == ["/node.toml", "NOTARIUM_NODE_API__PORT"]
    assert sources("", "mempool.max_bytes", MEMPOOL__MAX_BYTES="16777216") == [
        "NOTARIUM_NODE_MEMPOOL__MAX_BYTES", "/node.toml",
    ]  # fmt: skip
