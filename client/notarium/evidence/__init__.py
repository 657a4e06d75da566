"""What a record is: artifacts and their digests, the author, the statement and its envelope."""
