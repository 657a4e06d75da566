"""The ledger's rules: entries, blocks, certificates, proofs and state, as pure values and functions."""
