"""Behaviour of the consensus engine, transition by transition."""
