"""Mistakes at the doors, in records and in reports, planted one at a time: a test of `make test` must find each.

What concerns agreement is planted in the simulator (tests/simulation/planted.py).
"""
