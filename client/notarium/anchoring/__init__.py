"""From an artifact or a run to its receipt: track, anchor, commit, outbox, journal."""
