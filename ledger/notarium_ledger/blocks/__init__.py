"""Blocks, votes and certificates: what validators sign and decide."""
