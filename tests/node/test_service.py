"""What the process asks of its machine before the node runs."""

import resource

import pytest
from structlog.testing import capture_logs

from notarium_node.service import allow_open_files


@pytest.fixture
def few_files():
    """A machine that begins with few open files and allows more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def soft():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_as_many_files_may_be_open_as_the_bounds_of_the_node_need(few_files):
    with capture_logs() as logs:
        allow_open_files(600)
        assert soft() == 600
        allow_open_files(550)
        assert soft() == 600  # Never less than it is.
    assert logs == []


def test_a_machine_that_allows_too_few_is_reported(monkeypatch):
    limits = [(256, 900)]
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda which, new: limits.append(new))
    with capture_logs() as logs:
        allow_open_files(1000)
    assert limits[-1] == (900, 900)
    assert [(each["log_level"], each["allowed"], each["needed"]) for each in logs] == [("warning", 900, 1000)]
