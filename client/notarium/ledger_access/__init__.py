"""Access to the ledger's nodes: client, fail-over, and the checks of every answer."""
