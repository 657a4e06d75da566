"""A node's configuration: its fields and their limits, and how they are read from node.toml and the environment."""
