"""Offline verification of receipts, records and files."""
