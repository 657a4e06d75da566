"""Decoders of the node: what arrives at its HTTP API."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.fuzz import seeds
from tests.fuzz.target import Target
from tests.fuzz.waiting import at_once
from tests.vectors.chain import chain

from notarium_node.api.problems import ApiProblem, parse_hash, parse_int
from notarium_node.api.search import Filters
from notarium_node.api.submit import Submissions

MAX_REQUEST_BYTES = 8 * 1024 * 1024


class _Arrived:
    """A request whose body is there."""

    def __init__(self, content_type: str, body: bytes) -> None:
        self.content_type, self._body = content_type, body
        self.content_length = len(body)
        self.headers = {"Content-Type": content_type}
        self.content = SimpleNamespace(is_eof=lambda: True)

    async def read(self) -> bytes:
        return self._body


def _upload(method: str, content_type: str) -> Callable[[bytes], Any]:
    node: Any = None  # Reading a body needs no node.
    submissions = Submissions(node, MAX_REQUEST_BYTES, 1000)

    def read(data: bytes) -> Any:
        return _told(lambda: at_once(getattr(submissions, method)(_Arrived(content_type, data))))

    return read


def _batch(content_type: str) -> Callable[[bytes], Any]:
    """A batch is decoded when its turn has come."""
    read = _upload("_read_many", content_type)

    def decoded(data: bytes) -> Any:
        decode, body = read(data)
        return _told(lambda: decode(body))

    return decoded


def _filters(text: str) -> Filters:
    """One text in each place; as a kind it is refused unless it is one."""
    query = {"kind": text}
    try:
        return Filters.of(SimpleNamespace(query=query))  # type: ignore[arg-type]
    except ApiProblem:
        return Filters.of(SimpleNamespace(query={"issuer": text, "project": text}))  # type: ignore[arg-type]


def _query(parse: Callable[[str], Any]) -> Callable[[bytes], Any]:
    return lambda data: _told(lambda: parse(data.decode("utf-8", "surrogateescape")))


def _told(work: Callable[[], Any]) -> Any:
    """Do `work`; a problem must make a response that names what was wrong, and is not endless."""
    try:
        return work()
    except ApiProblem as problem:
        said = json.dumps(problem.document())
        if len(said) > 4096 or not problem.more.get("field"):
            raise AssertionError(f"an answer that does not help: {said[:500]}") from problem
        raise


def _json_entry(entry: bytes) -> bytes:
    return json.dumps({"entry": base64.b64encode(entry).decode()}).encode()


def _json_entries(*entries: bytes) -> bytes:
    return json.dumps({"entries": [base64.b64encode(each).decode() for each in entries]}).encode()


_entries = chain().decisions[0].block.entries


HTTP = (
    Target(
        "http: entry as msgpack",
        _upload("_read_one", "application/msgpack"),
        (ApiProblem,),
        ("notarium_node.api.submit:Submissions._read_one",),
        seeds.vector_bytes("entries"),
        lambda raw: raw,
    ),
    Target(
        "http: entry as JSON",
        _upload("_read_one", "application/json"),
        (ApiProblem,),
        ("notarium_node.api.submit:_json_member", "notarium_node.api.submit:_base64"),
        (_json_entry(_entries[0]),),
        _json_entry,
        is_canonical=False,
        dialect="json",
    ),
    Target(
        "http: batch as msgpack",
        _batch("application/msgpack"),
        (ApiProblem,),
        ("notarium_node.api.submit:Submissions._read_many", "notarium_node.api.submit:_batch_in_msgpack"),
        (seeds.canonical_list(*_entries),),
        lambda raws: seeds.canonical_list(*raws),
    ),
    Target(
        "http: batch as JSON",
        _batch("application/json"),
        (ApiProblem,),
        ("notarium_node.api.submit:_batch_in_json",),
        (_json_entries(*_entries),),
        lambda raws: _json_entries(*raws),
        is_canonical=False,
        dialect="json",
    ),
    Target(
        "http: hash",
        _query(lambda text: parse_hash(text, "id")),
        (ApiProblem,),
        ("notarium_node.api.problems:parse_hash",),
        (b"ab" * 32,),
        dialect="text",
        max_bytes=8192,
    ),
    Target(
        "http: filter",
        _query(_filters),
        (ApiProblem,),
        ("notarium_node.api.search:_parse_text", "notarium_node.api.search:_parse_choice"),
        (b"run", b"https://ror.org/012345678"),
        dialect="text",
        max_bytes=8192,
        is_canonical=False,
    ),
    Target(
        "http: number",
        _query(lambda text: parse_int(SimpleNamespace(query={"n": text}), "n", 0, minimum=0, maximum=1000)),  # type: ignore[arg-type]
        (ApiProblem,),
        ("notarium_node.api.problems:parse_int",),
        (b"17", b"0"),
        dialect="text",
        max_bytes=8192,
    ),
)
