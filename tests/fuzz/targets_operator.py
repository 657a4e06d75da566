"""Decoders of the node: the files of its operator, and what a node answers to the operator's commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from tests.fuzz import seeds
from tests.fuzz.files import from_file
from tests.fuzz.target import Target
from tests.fuzz.waiting import at_once

from notarium.key_files import KeyFileError, Purpose, load_seed
from notarium_ledger.entries.address import split_address
from notarium_ledger.errors import InvalidEquivocationFile
from notarium_node.config.reading import ConfigError, load_config
from notarium_node.identity.card import Card, CardError, read_card
from notarium_node.operator import equivocations as proofs
from notarium_node.operator.ceremony import CeremonyError, ungrouped
from notarium_node.operator.node_api import NodeApi, NodeUnreachable
from notarium_node.startup import StartupError, load_genesis, read_genesis


def _pinned_genesis() -> Callable[[bytes], Any]:
    pin = seeds.consortium().genesis.hash.hex()

    def load(path: Any) -> Any:
        config: Any = SimpleNamespace(node=SimpleNamespace(genesis=path, genesis_hash=pin))
        return load_genesis(config)

    return from_file("genesis.json", load)


def _asked(question: Callable[[], Coroutine[Any, Any, Any]]) -> Callable[[bytes], Any]:
    """What a node's API answers to the operator's program, and to the shell that shows it."""

    def ask(data: bytes) -> Any:
        async def get(*_: object) -> tuple[int, bytes]:
            return 200, data

        with patch.object(NodeApi, "get", get):
            answer = at_once(question())
        json.dumps(answer, ensure_ascii=False).encode()
        return answer

    return ask


def _refusal(data: bytes) -> str:
    detail = proofs._detail(data)
    detail.encode()
    return detail


_key_file = from_file("validator.key", lambda path: load_seed(path, Purpose.VALIDATOR), mode=0o600)
_genesis_file = seeds.consortium().genesis.encode_json()


FILES = (
    Target(
        "card",
        Card.read,
        (CardError,),
        ("notarium_node.identity.card:Card.read", "notarium_node.identity.card:_parse"),
        (seeds.card(),),
        dialect="json",
        max_bytes=20_000,
    ),
    Target(
        "card file",
        from_file("m0.card.json", read_card),
        (CardError,),
        ("notarium_node.identity.card:read_card",),
        (seeds.card(),),
        dialect="json",
        max_bytes=20_000,
    ),
    Target(
        "address",
        lambda data: split_address(data.decode("utf-8", "replace")),
        (ValueError,),
        ("notarium_ledger.entries.address:split_address",),
        (b"node.example.org:7000", b"[::1]:7000"),
        dialect="text",
        max_bytes=8192,
    ),
    Target(
        "hash read aloud",
        lambda data: ungrouped(data.decode("utf-8", "replace")),
        (CeremonyError,),
        ("notarium_node.operator.ceremony:ungrouped",),
        (b"abcd 0123 " * 8,),
        dialect="text",
        max_bytes=8192,
    ),
    Target(
        "node key file",
        _key_file,
        (KeyFileError,),
        ("notarium.key_files:load_seed",),
        (seeds.key_file("validator"),),
        dialect="text",
        max_bytes=8192,
    ),
    Target(
        "node.toml",
        from_file("node.toml", lambda path: load_config(path, {})),
        (ConfigError,),
        ("notarium_node.config.reading:load_config", "notarium_node.config.reading:parse_config"),
        (seeds.NODE_TOML,),
        dialect="text",
        max_bytes=40_000,
    ),
    Target(
        "node's environment",
        from_file("node.toml", lambda path: _overridden(path)),
        (ConfigError,),
        ("notarium_node.config.reading:_toml_value",),
        (b"data", b'"/srv/notarium"'),
        dialect="text",
        max_bytes=40_000,
    ),
    Target(
        "pinned genesis file",
        _pinned_genesis(),
        (StartupError,),
        ("notarium_node.startup:load_genesis",),
        (_genesis_file,),
        dialect="json",
    ),
    Target(
        "equivocation file of an operator",
        from_file("equivocation.json", lambda path: proofs.read(path, seeds.consortium().genesis)),
        (InvalidEquivocationFile,),
        ("notarium_node.operator.equivocations:read",),
        seeds.equivocation_files(),
        dialect="json",
        memory_bytes=20 << 20,  # A buffer of the greatest size that a file may have.
    ),
    Target(
        "answer to an operator",
        _asked(lambda: NodeApi("https://node").status()),
        (NodeUnreachable,),
        ("notarium_node.operator.node_api:NodeApi.get_json",),
        (b'{"height": 3, "reasons": [], "peers": [{"member": "m1"}]}',),
        dialect="json",
    ),
    Target(
        "answer to an operator: equivocation",
        _asked(lambda: proofs.listed(NodeApi("https://node"))),
        (NodeUnreachable,),
        (),
        (b'{"equivocations": [{"id": "ab", "height": 3}], "next": null}',),
        dialect="json",
    ),
    Target(
        "answer to an operator: refusal",
        _refusal,
        (),
        ("notarium_node.operator.equivocations:_detail",),
        (seeds.problem(),),
        dialect="json",
    ),
    Target(
        "genesis file of an administrator",
        from_file("genesis.json", read_genesis),
        (StartupError,),
        ("notarium_node.startup:read_genesis",),
        (_genesis_file,),
        dialect="json",
    ),
)


def _overridden(path: Any) -> Any:
    value = path.read_bytes().decode("utf-8", "surrogateescape")
    path.write_bytes(seeds.NODE_TOML)
    return load_config(path, {"NOTARIUM_NODE_NODE__DATA_DIR": value, "NOTARIUM_NODE_API__WAIT_MS": "7"})
