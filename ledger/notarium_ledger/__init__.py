"""What is true: entries, blocks, certificates, proofs and state, as pure values and functions."""
