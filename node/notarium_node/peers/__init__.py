"""Connections to the other nodes: who dials, who is admitted, and the bytes that are exchanged."""
