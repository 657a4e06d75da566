"""Fetching what this node lacks, and serving it to nodes that are behind."""
