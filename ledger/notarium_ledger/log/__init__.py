"""The RFC 6962 tree over all entries: hashes, proofs and the frontier."""
