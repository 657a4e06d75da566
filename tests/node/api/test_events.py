"""GET /v1/events: decided blocks as Server-Sent Events."""

import http.client
import json
import os
from contextlib import contextmanager

import pytest
from tests.node.http_api import validator

from notarium_ledger.entries.entry import sign_entry
from notarium_node.api.events import MAX_STREAMS_OF_ONE
from notarium_node.api.openapi import document


class Reader:
    """One open stream."""

    def __init__(self, response):
        self._response = response

    def events(self, count):
        """The next `count` events as (id, event, data); comments are skipped."""
        found: list = []
        fields: dict = {}
        while len(found) < count:
            line = self._response.readline().decode().rstrip("\n")
            if line.startswith(":"):
                continue
            if not line:
                if fields:
                    found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
                fields = {}
                continue
            name, _, value = line.partition(": ")
            fields[name] = value
        return found


@contextmanager
def reading(api, query="", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=15)
    try:
        connection.request("GET", f"/v1/events{query}", headers=headers)
        response = connection.getresponse()
        assert response.status == 200
        assert response.getheader("Content-Type") == "text/event-stream"
        # The first line says that the stream is open: what is decided from here on will come.
        assert response.readline().startswith(b":")
        yield Reader(response)
    finally:
        connection.close()


@pytest.fixture
def decide(world):
    def decide(count):
        for _ in range(count):
            raw = sign_entry(world.researcher, world.genesis.hash, world.body(record=os.urandom(32)))
            assert world.node.submit(raw).status == 200
        return world.node.get("/v1/status").json["height"]

    return decide


def test_new_blocks_come_as_they_are_decided_on_both_kinds_of_nodes(world, decide):
    height = decide(1)
    world.network.wait_until(lambda: world.observer.get("/v1/status").json["height"] == height, "the observer")
    with reading(world.node) as one, reading(world.observer) as two:
        decide(3)
        for reader in (one, two):
            events = reader.events(3)
            assert [(number, kind) for number, kind, _ in events] == [(height + each, "block") for each in (1, 2, 3)]
    blocks = world.node.get(f"/v1/blocks?from={height + 1}").json["blocks"]
    assert [data for _, _, data in events] == blocks
    schema = document()["components"]["schemas"]["Blocks"]["properties"]["blocks"]["items"]
    for _, _, data in events:
        validator(schema).validate(data)


def test_a_reader_goes_on_where_it_was(world, decide):
    height = decide(4)
    with reading(world.node, f"?after={height - 3}") as reader:
        assert [number for number, _, _ in reader.events(3)] == [height - 2, height - 1, height]
    with reading(world.node, **{"Last-Event-ID": str(height - 1)}) as reader:
        assert [number for number, _, _ in reader.events(1)] == [height]


def test_a_last_event_id_that_is_none_is_ignored(world, decide):
    height = decide(1)
    with reading(world.node, **{"Last-Event-ID": "rubbish"}) as reader:
        decide(1)
        assert [number for number, _, _ in reader.events(1)] == [height + 1]


def test_readers_who_leave_cost_nothing_and_keep_no_place(world, decide):
    for _ in range(300):  # More than may be open at one time, and no block comes meanwhile by which they are missed.
        with reading(world.node):
            pass
    with reading(world.node) as reader:
        height = decide(1)
        assert reader.events(1)[0][0] == height


def test_too_many_readers_are_refused_with_a_time_to_retry(world, decide):
    open_now = []
    try:
        for _ in range(400):
            connection = http.client.HTTPConnection("127.0.0.1", world.node.port, timeout=15)
            open_now.append(connection)
            connection.request("GET", "/v1/events")
            response = connection.getresponse()
            if response.status != 200:
                break
        assert response.status == 429, "one address holds no more than its part"
        assert json.loads(response.read())["type"] == "urn:notarium:problem:too-many"
        assert int(response.getheader("Retry-After", "0")) > 0
        assert len(open_now) == MAX_STREAMS_OF_ONE + 1
    finally:
        for connection in open_now:
            connection.close()
        decide(1)  # The node misses readers when it writes to them.
