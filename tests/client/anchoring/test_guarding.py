"""Errors of a run are warnings, unless it is strict."""

import pytest

from notarium.anchoring.guarding import guarded
from notarium.anchoring.lifetime import Lifetime
from notarium.errors import ProjectError


class Thing:
    def __init__(self, strict):
        self.strict = strict
        self.said = []
        self._life = Lifetime()

    def _warn(self, text):
        self.said.append(text)

    @guarded
    def record(self, error):
        raise error

    @guarded
    def _internal(self):
        raise ValueError("broken")


def test_an_error_is_a_warning_that_names_the_call():
    thing = Thing(strict=False)
    thing.record(ProjectError("the key is missing"))
    thing.record(ValueError("broken"))
    thing._internal()
    assert thing.said == ["the key is missing", "record: broken", "broken"]


def test_an_interrupt_is_no_error():
    with pytest.raises(KeyboardInterrupt):
        Thing(strict=False).record(KeyboardInterrupt())


@pytest.mark.parametrize("error", [ProjectError("the key is missing"), ValueError("broken")])
def test_strict_raises(error):
    with pytest.raises(type(error)):
        Thing(strict=True).record(error)
