"""What researchers hand over, as a record keeps it: exactly, typed, by name or by digest, and without secrets."""
