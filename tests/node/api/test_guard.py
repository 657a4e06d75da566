"""What a web page of a stranger can make a browser ask is refused, and each address has its part."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import HttpVersion
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from notarium_node.api.guard import Guard
from notarium_node.api.problems import ApiProblem, ProblemType
from notarium_node.config.sections import ApiSection
from notarium_node.http.server import HardenedConnection

URLS = ("https://node.mercy.example:8470", "https://node.north.example", "")


def guard(open_connections=1, **settings):
    return Guard(ApiSection(**settings), lambda: URLS, lambda: open_connections)


def request(method="GET", **headers):
    return make_mocked_request(method, "/v1/log", {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8470",
        "[::1]:8470",
        "10.1.2.3",
        "localhost:1",
        "node.mercy.example",
        "NODE.north.example.:9",
    ],
)
def test_addresses_and_names_of_the_node_may_be_asked(host):
    guard().check_origin(request(Host=host))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "mercy.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost:80@evil.example",
        "localhost@evil.example",
        "localhost/evil.example",
        "localhost:x",
        "[::1]evil.example",
        "",
    ],
)
def test_any_other_name_is_a_page_that_reads_through_a_visitors_browser(host):
    with pytest.raises(ApiProblem) as caught:
        guard().check_origin(request(Host=host))
    assert caught.value.kind is ProblemType.WRONG_HOST
    assert "api.hosts" in caught.value.more["remedy"]


def test_two_names_are_no_name():
    both = CIMultiDict([("Host", "localhost"), ("Host", "evil.example")])
    with pytest.raises(ApiProblem) as caught:
        guard().check_origin(make_mocked_request("GET", "/v1/log", both))
    assert caught.value.kind is ProblemType.WRONG_HOST


@pytest.mark.parametrize("version", [(0, 9), (1, 0), (1, 1)])
def test_only_a_health_check_in_http_1_0_needs_no_name(version):
    asked = make_mocked_request("GET", "/v1/log", version=HttpVersion(*version))
    if version == (1, 0):
        guard().check_origin(asked)
        return
    with pytest.raises(ApiProblem) as caught:
        guard().check_origin(asked)
    assert caught.value.kind is ProblemType.WRONG_HOST


@pytest.mark.parametrize("coding", ["chunked", "gzip, chunked", "identity"])
def test_a_body_without_its_length_is_refused_and_the_connection_closed(coding):
    with pytest.raises(ApiProblem) as caught:
        guard().check_form(request("POST", Transfer_Encoding=coding))
    assert caught.value.kind is ProblemType.LENGTH_REQUIRED
    assert caught.value.headers == {"Connection": "close"}
    guard().check_form(request("POST", Content_Length="3"))


def test_the_operator_adds_names():
    guard(hosts=("ledger.intern",)).check_origin(request(Host="ledger.intern:8470"))


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_page_of_another_site_cannot_submit(headers):
    with pytest.raises(ApiProblem) as caught:
        guard().check_origin(request("POST", Host="localhost", **headers))
    assert caught.value.kind is ProblemType.CROSS_SITE
    guard().check_origin(request("GET", Host="localhost", **headers))


@pytest.mark.parametrize(
    "headers", [{}, {"Sec_Fetch_Site": "same-origin"}, {"Sec_Fetch_Site": "none"}, {"Origin": "http://localhost:8470"}]
)
def test_programs_and_own_pages_submit(headers):
    guard().check_origin(request("POST", Host="localhost:8470", **headers))


def test_above_the_limit_a_connection_is_refused_and_closed():
    guard(2, max_clients=2).check_crowd(REQUEST)
    with pytest.raises(ApiProblem) as caught:
        guard(3, max_clients=2).check_crowd(REQUEST)
    assert caught.value.kind is ProblemType.BUSY
    assert caught.value.more["limit"] == 2
    assert caught.value.headers == {"Retry-After": "1", "Connection": "close"}


def test_a_connection_above_the_part_of_its_address_is_refused_and_closed():
    protocol = object.__new__(HardenedConnection)
    protocol.is_surplus = True
    surplus: Any = SimpleNamespace(protocol=protocol)
    with pytest.raises(ApiProblem) as caught:
        guard().check_crowd(surplus)
    assert caught.value.kind is ProblemType.TOO_MANY
    assert caught.value.headers == {"Retry-After": "1", "Connection": "close"}


REQUEST = request(Host="localhost")
