"""/openapi.json: valid, complete, and nothing in it that is not there. Answers are held against it in http_api.py."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import ValidationError
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.node.http_api import Answer, check_described

from notarium_node.api.app import make_app
from notarium_node.api.problems import ProblemType
from notarium_node.config.sections import ApiSection
from notarium_node.entries.waiters import Waiters
from notarium_node.health.api_answers import ApiAnswers


def test_the_description_is_valid_openapi(world):
    OpenAPIV31SpecValidator(world.node.get("/openapi.json").json).validate()


def test_every_route_is_described_and_every_description_is_a_route(world):
    paths = world.node.get("/openapi.json").json["paths"]
    described = {(method.upper(), path) for path, operations in paths.items() for method in operations}

    # As much of a node as the application is made from.
    node: Any = SimpleNamespace(store=None, waiters=Waiters(), api_answers=ApiAnswers())
    app = make_app(node, ApiSection(), lambda: 0)
    routes = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    # HEAD, OPTIONS and the refusal of all others are HTTP's own, on every resource.
    assert {(method, path) for method, path in routes if method not in ("*", "HEAD", "OPTIONS")} == described


def test_every_path_parameter_is_declared(world):
    for path, operations in world.node.get("/openapi.json").json["paths"].items():
        for operation in operations.values():
            declared = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
            assert declared == set(re.findall(r"\{(\w+)\}", path))


def test_every_problem_status_is_described_somewhere(world):
    paths = world.node.get("/openapi.json").json["paths"]
    statuses = {
        int(status)
        for operations in paths.values()
        for operation in operations.values()
        for status, response in operation["responses"].items()
        if "application/problem+json" in response["content"]
    }
    assert statuses == {each.status for each in ProblemType if each is not ProblemType.METHOD_NOT_ALLOWED}


def test_uploads_are_taken_in_the_described_types_and_no_others(world):
    for path in ("/v1/entries", "/v1/entries/batch"):
        content = world.node.get("/openapi.json").json["paths"][path]["post"]["requestBody"]["content"]
        for each in content:
            assert world.node.post(path, b"\xc1", each).status in (400, 422), each
        for each in ("text/plain", "application/x-msgpack", "application/cbor"):
            assert each not in content
            world.node.post(path, b"\xc1", each).problem(415, "unsupported-media-type")


def test_a_failure_of_the_node_is_described_on_every_route(world):
    for operations in world.node.get("/openapi.json").json["paths"].values():
        for operation in operations.values():
            assert "application/problem+json" in operation["responses"]["500"]["content"]


def test_the_check_itself_can_fail():
    """What http_api.py does with each answer catches a missing field, a status and a type that are not described."""
    json_type = {"content-type": "application/json"}
    good = Answer(200, json_type, b'{"size": 1, "root": "' + b"0" * 64 + b'"}')
    check_described("GET", "/v1/log", good)
    for bad in (
        Answer(200, json_type, b'{"size": 1}'),
        Answer(200, json_type, good.body.replace(b'"size"', b'"more": 1, "size"')),
        Answer(418, json_type, good.body),
        Answer(500, {"content-type": "application/problem+json"}, b"{}"),
        Answer(200, {"content-type": "text/html"}, good.body),
    ):
        with pytest.raises((AssertionError, ValidationError)):
            check_described("GET", "/v1/log", bad)
