"""A researcher's project on a ledger with fake nodes, for the pages about records."""

from tests.client.conftest import cli, genesis, home, ledger, nodes, project

__all__ = ["cli", "genesis", "home", "ledger", "nodes", "project"]
