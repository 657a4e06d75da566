"""HOST:PORT and the base URL of an API: one rule for keygen, cards, genesis and entries."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.support.consortium import Consortium, fake_certificate, key

from notarium_ledger.entries.address import api_url, peer_address, split_address
from notarium_ledger.entries.commitment import check_action
from notarium_ledger.errors import InvalidEntry, InvalidGenesis
from notarium_ledger.state.genesis import Genesis

HOSTS = [
    "a",
    "node.example.org",
    "NODE.Example.org",
    "node_1",
    "xn--mnchen-3ya.example",
    "10.0.0.1",
    "[::1]",
    "[2001:db8::7]",
    "[::ffff:10.0.0.1]",
    "x" * 63 + ".example",
]
NO_HOSTS = {
    "nothing": "",
    "a space": "node example",
    "a line break": "node\nexample",
    "a dot at the end": "node.example.",
    "two dots": "node..example",
    "a label of 64 characters": "x" * 64,
    "an IPv6 address without brackets": "::1",
    "a bracket that is not closed": "[::1",
    "brackets around a name": "[node.example]",
    "a zone": "[fe80::1%eth0]",
    "a user": "user@node.example",
    "a path": "node.example/path",
    "a query": "node.example?x",
    "a fragment": "node.example#x",
    "a backslash": "node\\example",
    "a letter beyond ASCII": "münchen.example",
    "a full stop beyond ASCII": "node。example",
    "a digit beyond ASCII": "10.0.0.１",
    "a null": "node\0.example",
}
NO_PORTS = ["", "0", "00", "080", "65536", "99999", "100000", "-1", "+1", "x", "1x", " 1", "1\n", "²", "７", "1_0"]


@pytest.mark.parametrize("host", HOSTS)
def test_an_address_is_a_host_and_a_port(host: str) -> None:
    for port in (1, 80, 9999, 65_535):
        assert split_address(f"{host}:{port}") == (host.strip("[]"), port)


@pytest.mark.parametrize("host", HOSTS)
def test_an_api_is_a_url_of_a_host(host: str) -> None:
    for start in ("http://", "https://"):
        for end in ("", "/", "/ledger", "/a/b-c_d.e~f%20/", ":1", ":65535", ":8443/v1/"):
            api_url(start + host + end)


def _bad_addresses() -> list[str]:
    hosts = [f"{host}:7000" for host in NO_HOSTS.values()]
    ports = [f"node.example:{port}" for port in NO_PORTS]
    return [*hosts, *ports, "node.example", "https://node.example:7000", "[::1]", "[::1]7000", "a:1:2", ":", "x" * 256]


def _bad_apis() -> list[str]:
    hosts = [f"https://{host}" for name, host in NO_HOSTS.items() if name != "a path"]
    ports = [f"https://node.example:{port}" for port in NO_PORTS]
    others = ["node.example", "node.example:1", "ftp://node.example", "HTTPS://node.example", "//a", "http:a"]
    ends = ["/a b", "/é", "/?q", "/#f", "/\\", "/\n", "\n", "/a;b"]
    return [*hosts, *ports, *others, *(f"https://node.example{end}" for end in ends), "https://" + "x." * 124]


@pytest.mark.parametrize(
    ("check", "value"),
    [(peer_address, each) for each in _bad_addresses()] + [(api_url, each) for each in _bad_apis()],
)
def test_what_is_neither_is_refused(check: Callable[[Any], None], value: str) -> None:
    with pytest.raises(InvalidEntry, match=r"HOST:PORT|HOST\[:PORT\]|characters, 1 to 255 allowed|control character"):
        check(value)


@pytest.mark.parametrize("check", [peer_address, api_url])
def test_only_a_string_can_be_one(check: Callable[[Any], None]) -> None:
    for value in (7000, b"node.example:7000", None, ["a:1"]):
        with pytest.raises(InvalidEntry, match="not a string"):
            check(value)


PLACES = [("address", "node.example"), ("address", "node.example:0"), ("api", "node.example"), ("api", "ftp://a")]


@pytest.mark.parametrize(("field", "value"), PLACES)
def test_an_action_and_genesis_name_the_field(field: str, value: str) -> None:
    new = key("a node")
    node = {"member": "m0", "role": "observer", "key": bytes(new.public), "certificate": fake_certificate(new)}

    def action(**fields: str) -> dict[str, Any]:
        return {"node": dict(sorted({**node, **fields}.items())), "type": "set-node"}

    check_action(action(address="a:1", api="http://a"))
    with pytest.raises(InvalidEntry, match="HOST") as of_entry:
        check_action(action(**{"address": "a:1", field: value}))
    assert of_entry.value.field == f"action.node.{field}"
    document = Consortium(4).genesis.document
    first, *rest = document["nodes"]
    with pytest.raises(InvalidGenesis, match="HOST") as of_genesis:
        Genesis.from_document({**document, "nodes": [{**first, field: value}, *rest]})
    assert of_genesis.value.field == f"nodes[0].{field}"
