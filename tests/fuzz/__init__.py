"""Bytes from outside, spoiled in every way: no crash, no unbounded memory, nothing but the errors that are documented."""
