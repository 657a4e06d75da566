"""Bytes from outside, spoiled in every way: no crash, no unbounded memory, only the errors that are documented."""
