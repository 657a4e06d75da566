"""Where a Notarium ledger is kept: LevelDB, and nothing else touches LevelDB."""
