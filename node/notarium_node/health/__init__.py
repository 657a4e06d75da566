"""How the node is doing: condition, metrics, logs and progress."""
