"""A pytest plugin: plants the mistake that the environment names before any test is collected."""

from __future__ import annotations

import os

NAMED = "NOTARIUM_PLANTED"


def pytest_configure() -> None:
    """Plant it."""
    # Here, because tests.planted.mistakes imports the product, whose modules coverage and warnings must see first.
    from tests.planted.mistakes import MISTAKES

    next(each for each in MISTAKES if each.name == os.environ[NAMED]).plant()
