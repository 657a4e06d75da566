"""A seeded simulator over the real consensus engine: fake clock, network and disk (see test_simulation.py)."""
