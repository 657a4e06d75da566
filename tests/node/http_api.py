"""A small HTTP client for the tests of the API. Every answer is checked against /openapi.json."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from notarium.key_files import Purpose, load_key
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.genesis import Genesis
from notarium_node.api.openapi import document
from notarium_node.demo.local_network import Institution, LocalNetwork

MSGPACK = "application/msgpack"
PROBLEM = "application/problem+json"
RECEIPT = "application/vnd.notarium.receipt.v1+json"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def problem(self, status: int, name: str) -> dict[str, Any]:
        """The problem document, checked to be RFC 9457 and of this kind."""
        assert self.status == status, (self.status, self.body)
        assert self.media_type == PROBLEM
        found = self.json
        assert found["type"] == f"urn:notarium:problem:{name}"
        assert found["status"] == status
        assert found["title"]
        assert found["detail"]
        return found


class Api:
    """One node's API."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        """`source`: the client's address."""
        self.port = port
        self._source = source

    def get(self, path: str, **headers: str) -> Answer:
        return self.call("GET", path, None, headers)

    def post(self, path: str, body: bytes, content_type: str = MSGPACK, **headers: str) -> Answer:
        return self.call("POST", path, body, {"Content-Type": content_type, **headers})

    def post_json(self, path: str, value: Any, **headers: str) -> Answer:
        return self.post(path, json.dumps(value).encode(), "application/json", **headers)

    def submit(self, raw: bytes, query: str = "") -> Answer:
        return self.post(f"/v1/entries{query}", raw)

    def call(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20, source_address=(self._source, 0))
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            received = {name.lower(): value for name, value in response.getheaders()}
            answer = Answer(response.status, received, response.read())
        finally:
            connection.close()
        check_described(method, path, answer)
        return answer


def check_described(method: str, path: str, answer: Answer) -> None:
    """Fail unless the description has this route, this status with this media type, and the body fits its schema."""
    template = _template(path.partition("?")[0])
    if template is None:
        assert answer.status == 404, f"{path} is not described and yet answers {answer.status}"
        return
    if method == "HEAD":
        return  # As GET, without the body.
    operation = document()["paths"][template].get(method.lower())
    if operation is None:
        # OpenAPI describes resources; these two are HTTP's own.
        right = 204 if method == "OPTIONS" else 405
        assert answer.status == right, f"{method} {template} is not described and yet answers {answer.status}"
        return
    assert answer.status != 500, f"{method} {template}: described, and yet the node failed: {answer.body!r}"
    described = operation["responses"].get(str(answer.status))
    assert described is not None, f"{method} {template}: status {answer.status} is not described: {answer.body!r}"
    content = described["content"].get(answer.media_type)
    assert content is not None, f"{method} {template} {answer.status}: {answer.media_type} is not described"
    if answer.media_type.endswith("json") and content.get("schema"):
        validator(content["schema"]).validate(answer.json)


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    """A validator of one schema of the description."""
    return Draft202012Validator({**schema, "components": document()["components"]})


def _template(path: str) -> str | None:
    # Literal paths first: /v1/entries/batch must not match {id}.
    for template in sorted(document()["paths"], key=lambda each: ("{" in each, each)):
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return template
    return None


@dataclass(frozen=True)
class World:
    """One validator, an observer, and the keys of those who write to it."""

    network: LocalNetwork
    researcher: SigningKey
    to_be_revoked: SigningKey
    admin: SigningKey
    """m0's governance key."""
    node: Api
    observer: Api

    @property
    def genesis(self) -> Genesis:
        return self.network.genesis

    def body(self, **over: Any) -> dict[str, Any]:
        """A valid body, different each time."""
        base = {"v": 1, "kind": "dataset", "issuer": "m0", "project": "p", "disclosure": "public"}
        return {**base, "record": os.urandom(32), **over}


@contextmanager
def running_world(directory: Path) -> Iterator[World]:
    """A World of real processes, which are stopped at the end."""
    researcher, to_be_revoked = SigningKey(os.urandom(32)), SigningKey(os.urandom(32))
    network = LocalNetwork.create(
        directory,
        [Institution("m0", "Member 0")],
        observers=["m0"],
        researchers=[("m0", researcher.public), ("m0", to_be_revoked.public)],
    )
    admin = load_key(network.directory / "m0" / "keys" / "admin.key", Purpose.ADMIN)
    validator, observer = network.nodes
    try:
        network.start()
        network.wait_ready()
        yield World(network, researcher, to_be_revoked, admin, Api(validator.api_port), Api(observer.api_port))
    finally:
        network.stop()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def entry_id(raw: bytes) -> str:
    return leaf_hash(raw).hex()
