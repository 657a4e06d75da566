"""Proofs that stand on the pinned genesis alone: receipts, snapshots, equivocations."""
