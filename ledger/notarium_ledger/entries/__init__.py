"""What authors sign: commitments, member statements and the entries that carry them."""
