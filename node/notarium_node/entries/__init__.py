"""Entries on their way to a block: admission, mempool, gossip, signature checks, waiting requests."""
