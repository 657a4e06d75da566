"""From a record to the writer: kinds, limits, and what was not written."""

import logging

import pytest

from notarium_node.health import log_handler
from notarium_node.health.log_handler import LogHandler
from notarium_node.health.log_limits import LINES, WINDOW_S


class Time:
    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Time()
    monkeypatch.setattr(log_handler, "time", made)
    return made


@pytest.fixture
def logged():
    """A logger of its own, its handler, and the lines that were written."""
    lines = []
    handler = LogHandler(lambda data: lines.extend(data.decode().splitlines()), logging.Formatter())
    logger = logging.Logger("x")
    logger.addHandler(handler)

    def written():
        handler.flush()
        return lines

    yield logger, handler, written
    handler.close()


def test_repeated_lines_are_counted_and_one_line_says_so(clock, logged):
    logger, handler, written = logged
    for number in range(LINES + 100):
        logger.error("Error handling request from %s", number)
    assert len(written()) == LINES
    assert handler.repeated == 100
    clock.now = WINDOW_S
    handler._describe_repeated()
    assert written()[LINES:] == ["log lines of one kind were left out"]


def test_the_figures_of_a_line_do_not_make_another_kind(clock, logged):
    logger, _, written = logged
    for number in range(2 * LINES):
        logger.warning({"event": "not HTTP", "address": number})
        logger.error(f"Task exception was never retrieved\nfuture: <Task {number}>")
    assert len([line for line in written() if "not HTTP" in line]) == LINES
    assert len([line for line in written() if "never retrieved" in line]) == LINES


def test_each_member_has_lines_of_its_own(clock, logged):
    logger, _, written = logged
    for member in ("alpha", "beta"):
        for _ in range(2 * LINES):
            logger.warning({"event": "peer dropped", "member": member})
    assert len(written()) == 2 * LINES


def test_at_level_debug_nothing_is_left_out(clock, logged):
    logger, _, written = logged
    for _ in range(2 * LINES):
        logger.debug("decided")
    assert len(written()) == 2 * LINES


def test_a_line_that_cannot_be_made_is_reported(logged):
    logger, _, written = logged
    logger.error("%d", "no number")
    assert written() == ["a log line could not be made"]


def test_what_the_process_did_not_write(clock, logged):
    logger, handler, _ = logged
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        for _ in range(LINES + 3):
            logger.warning("again")
        assert log_handler.lost() == {"unwritten": 0, "repeated": 3}
    finally:
        root.removeHandler(handler)
