"""Canonical bytes and files, and how foreign ones are read."""
