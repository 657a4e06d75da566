"""Read a configuration file. A person wrote it, so an error names the line and the remedy."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from notarium.errors import ProjectError
from notarium.files import read_regular

MAX_TOML_BYTES = 32_768
"""The time to parse TOML grows with the square of a line's length."""
TOO_DEEP = "nested too deeply: no field is deeper than a list"
_REMEDY = "Correct it there. Each section may have one heading only, with all its fields below, each of them once."


class InvalidToml(ProjectError):
    """A file that is not TOML. The message names the file, the line and the remedy."""


def read_toml(path: Path) -> dict[str, Any]:
    """The content of `path`. Raises OSError or InvalidToml."""
    content = read_regular(path, MAX_TOML_BYTES)
    if len(content) > MAX_TOML_BYTES:
        raise InvalidToml(f"{path} has more than {MAX_TOML_BYTES} bytes, the limit for a configuration: shorten it")
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidToml(f"{path} is not UTF-8 (at line {line}): save it as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidToml(f"{path} is not TOML: {error}. {_REMEDY}") from error
    except RecursionError as error:
        raise InvalidToml(f"{path}: {TOO_DEEP}") from error
    except ValueError as error:
        raise InvalidToml(f"{path} has a number of thousands of digits, which no field takes: correct it") from error
