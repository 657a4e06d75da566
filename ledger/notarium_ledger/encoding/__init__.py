"""Canonical bytes and proof files, and the readers for those that others wrote."""
