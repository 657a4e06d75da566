"""A minimal configuration, and how a test loads another."""

from __future__ import annotations

from pathlib import Path

from notarium_node.config.reading import load_config
from notarium_node.config.sections import NodeConfig

HASH = "ab" * 32
MINIMAL = f'[node]\ngenesis_hash = "{HASH}"\n[peer]\nport = 7000\n'


def load(tmp_path: Path, text: str, **environment: str) -> NodeConfig:
    """The configuration with this text, and these variables in the environment."""
    path = tmp_path / "node.toml"
    path.write_text(text)
    return load_config(path, environment)
