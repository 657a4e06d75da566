"""Connections to the other nodes: who dials, who is let in, and the bytes they exchange."""
