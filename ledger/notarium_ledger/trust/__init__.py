"""Proofs that need only the pinned genesis: decided headers, receipts, snapshots, equivocations."""
