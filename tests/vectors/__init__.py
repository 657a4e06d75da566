"""Golden vectors: every public format, byte for byte."""
