"""What a record contains: artifacts and their digests, environment and code."""
