"""The 19 mistakes that others made in consensus (docs/consensus.md): one file each, each test able to fail."""
