"""Rules for the words and the shape of this repository."""
