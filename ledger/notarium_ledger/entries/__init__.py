"""What authors sign: commitments, members' statements, and the entries that carry them."""
