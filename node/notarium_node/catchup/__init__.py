"""Fetching the blocks that this node lacks, and serving blocks to nodes that are behind."""
