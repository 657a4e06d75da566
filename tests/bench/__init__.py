"""Measures a consortium of four validators and one observer on this machine: `make bench`."""
