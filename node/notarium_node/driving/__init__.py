"""Drives the consensus engine: performs its effects and stores its decisions."""
