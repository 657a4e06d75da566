"""What a log line looks like, and what never stands in one."""

import io
import json
import logging
from datetime import datetime, timedelta

import pytest
import structlog

from notarium_node.health import logs


@pytest.fixture
def lines():
    """Configure JSON logs into a buffer; put the process's logging back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("info", "json", stream)

    def written():
        root.handlers[0].flush()
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    yield written
    root.handlers[0].close()
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_one_json_object_with_utc_time(lines):
    structlog.get_logger("x").info("peer connected", member="alpha", height=7, key=b"\x01\x02")
    (line,) = lines()
    assert line["message"] == "peer connected"
    assert (line["level"], line["member"], line["height"], line["key"]) == ("info", "alpha", 7, "0102")
    assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)


def test_the_level_is_a_threshold(lines):
    structlog.get_logger("x").debug("too fine")
    logging.getLogger("aiohttp.server").info("chatter")
    assert lines() == []


def test_the_standard_library_and_exceptions_come_in_the_same_form(lines):
    logging.getLogger("aiohttp.server").error("trouble with %s", "it")
    try:
        raise ValueError("bad thing")
    except ValueError:
        structlog.get_logger("x").exception("failed")
    first, second = lines()
    assert (first["message"], first["level"]) == ("trouble with it", "error")
    assert second["exception"][0]["exc_value"] == "bad thing"


def test_a_late_write_of_the_tls_layer_is_not_an_error_and_all_else_is(lines):
    closed = "unable to perform operation on <TCPTransport closed=True>; the handler is closed"

    def fails(message, error):
        logging.getLogger("asyncio").error(message, exc_info=error)

    fails("Fatal error on SSL protocol\nprotocol: <SSLProtocol>", RuntimeError(closed))
    assert lines() == []
    fails("Fatal error on SSL protocol", RuntimeError("another"))
    fails("Fatal error on SSL protocol", ValueError(closed))
    fails("Fatal error on transport", RuntimeError(closed))
    logging.getLogger("asyncio").error("Fatal error on SSL protocol")
    assert len(lines()) == 4


def test_at_level_debug_it_is_a_line_of_that_level(lines):
    stream = io.StringIO()
    logs.configure("debug", "json", stream)
    try:
        error = RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")
        logging.getLogger("asyncio").error("Fatal error on SSL protocol", exc_info=error)
    finally:
        logging.getLogger("asyncio").setLevel(logging.WARNING)
        logging.getLogger().handlers[0].close()
    [line] = map(json.loads, stream.getvalue().splitlines())
    assert line["level"] == "debug"


def test_secrets_never_stand_in_a_line(lines):
    structlog.get_logger("x").info(
        "odd", seed=b"S" * 32, transport_seed="S" * 32, nested={"client_secret": "SSSS", "list": [{"seed": "SSSS"}]}
    )
    (line,) = lines()
    assert "SSSS" not in json.dumps(line)
    assert line["seed"] == line["nested"]["client_secret"] == logs.REDACTED


def test_locals_of_a_traceback_are_not_logged(lines):
    def fail():
        key_material = "S" * 32
        raise ValueError(len(key_material))

    console = io.StringIO()
    for setting in (lambda: None, lambda: logs.configure("info", "console", console)):
        setting()
        try:
            fail()
        except ValueError:
            structlog.get_logger("x").exception("failed")
        logging.getLogger().handlers[0].flush()
    assert "ValueError" in console.getvalue()
    assert lines()[0]["exception"][0]["exc_type"] == "ValueError"
    assert "SSSS" not in json.dumps(lines()) + console.getvalue()


def test_the_console_form_is_readable():
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logs.configure("debug", "console", stream)
        structlog.get_logger("x").warning("clock is off", offset_ms=900, sent="a\u202e\x9b2J")
    finally:
        root.handlers[0].close()
        structlog.reset_defaults()
        root.handlers[:] = handlers
        root.setLevel(level)
    assert "clock is off" in stream.getvalue()
    assert "offset_ms=900" in stream.getvalue()
    assert r"sent='a\u202e\x9b2J'" in stream.getvalue(), "control characters of a peer reach the terminal"
