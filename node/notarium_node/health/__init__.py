"""The health of a node: condition, metrics, event counts, logs and progress."""
