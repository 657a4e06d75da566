"""A ledger, and nodes that join it: as for the tests of joining."""

from tests.node.catchup.conftest import aged, ledger, start

__all__ = ["aged", "ledger", "start"]
