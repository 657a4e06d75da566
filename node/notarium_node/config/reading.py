"""From node.toml and the environment to a checked configuration.

``NOTARIUM_NODE_<SECTION>__<FIELD>`` overrides one field, for example ``NOTARIUM_NODE_PEER__PORT=9000``. Its value is
read as in TOML, or as plain text if it is not a TOML value. Paths are relative to the configuration file.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from notarium.toml_file import TOO_DEEP, InvalidToml, read_toml
from notarium_node.config.sections import CONFLICT, NodeConfig

ENVIRONMENT_PREFIX = "NOTARIUM_NODE_"
UNKNOWN_DEFAULT = "default_factory_not_called"
"""pydantic's type of the error in a field whose default depends on a field that is wrong."""


class ConfigError(Exception):
    """A configuration that cannot be used.

    One line per problem, each with where the value comes from (the file or the variable), the field, its limit and
    the remedy.
    """


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> NodeConfig:
    """Read `path` and the overrides in `environment` (default: the process's). Raises ConfigError."""
    try:
        content = read_toml(path)
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist: make it with 'notarium-node init', or name another") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except InvalidToml as error:
        raise ConfigError(str(error)) from error
    overridden = _override(content, os.environ if environment is None else environment)
    return parse_config(content, path, overridden)


def parse_config(content: Mapping[str, Any], path: Path, overridden: Mapping[str, str] | None = None) -> NodeConfig:
    """Validate `content` as the content of the file `path`. Raises ConfigError.

    `overridden`: the fields whose values are not from the file, such as "peer.port", with their variables.
    """
    try:
        # Through JSON, whose strict rules accept text for paths, but not for numbers.
        return NodeConfig.model_validate_json(
            json.dumps(content, default=str), context={"base": path.absolute().parent}
        )
    except ValidationError as error:
        found = error.errors(include_url=False)
        # A wrong data directory is one error, not one for each path in it.
        lines = [_explain(each, path, overridden or {}) for each in found if each["type"] != UNKNOWN_DEFAULT]
        raise ConfigError("\n".join(lines)) from error
    except RecursionError as error:
        raise ConfigError(f"{path}: {TOO_DEEP}") from error


def set_by(field: str) -> str:
    """What sets a field such as "peer.port" in this process: its variable, or the configuration file."""
    return _variable(field) if _variable(field) in os.environ else "the configuration file"


def _override(content: dict[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """Put the environment's values into `content`. Returns the fields that were set, with their variables.

    An unknown name is an error: otherwise nobody would notice a typing error. Raises ConfigError with one
    line for each.
    """
    overridden, unknown = {}, []
    for name in sorted(environment):
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        section, separator, field = name[len(ENVIRONMENT_PREFIX) :].lower().partition("__")
        if not separator or field not in _fields(section):
            unknown.append(
                f"environment variable {name} does not name a field{_nearest(name, _environment_names())}: "
                "correct or unset it"
            )
            continue
        content.setdefault(section, {})
        if isinstance(content[section], dict):
            content[section][field] = _toml_value(environment[name])
            overridden[f"{section}.{field}"] = name
    if unknown:
        raise ConfigError("\n".join(unknown))
    return overridden


def _fields(section: str) -> list[str]:
    """The names of a section's fields; an empty list for an unknown section."""
    info = NodeConfig.model_fields.get(section)
    model = None if info is None else info.annotation
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _environment_names() -> list[str]:
    return [_variable(f"{section}.{field}") for section in NodeConfig.model_fields for field in _fields(section)]


def _variable(field: str) -> str:
    return ENVIRONMENT_PREFIX + field.replace(".", "__").upper()


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _explain(error: ErrorDetails, path: Path, overridden: Mapping[str, str]) -> str:
    """One line, such as "node.toml: peer.port: 70000 is not allowed: input should be ... . Correct it, or set ..."."""
    if error["type"] == "json_invalid":  # The JSON was made here, so only its depth can be wrong.
        return f"{path}: {TOO_DEEP}"
    location = [str(part) for part in error["loc"]]
    field = ".".join(location[:2])
    if error["type"] == CONFLICT:
        values = [".".join((*location, each)) for each in error["ctx"]["fields"]]
        return f"{_sources(values, path, overridden)}: {': '.join((*location, error['msg']))}"
    return f"{_sources([field], path, overridden)}: {_explain_field(error, location, field in overridden)}"


def _explain_field(error: ErrorDetails, location: list[str], is_overridden: bool) -> str:
    field, variable = ".".join(location), _variable(".".join(location[:2]))
    if error["type"] == "missing":
        if len(location) == 1:
            return f"{field}: the section is missing: add [{field}]"
        return f"{field} is missing: add it to section [{location[0]}], or set {variable}"
    if error["type"] == "extra_forbidden":
        known = _fields(location[0]) if len(location) > 1 else list(NodeConfig.model_fields)
        return f"{field} is unknown{_nearest(location[-1], known)}: remove or correct it. Known: {', '.join(known)}"
    reason = error["msg"].removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    if error["type"] == "value_error":
        return f"{field}: {reason}"
    given = repr(error["input"])
    given = given if len(given) <= 200 else given[:200] + "…"
    remedy = "Correct or unset it" if is_overridden else f"Correct it, or set {variable}"
    return f"{field}: {given} is not allowed: {reason}. {remedy}"


def _sources(fields: Iterable[str], path: Path, overridden: Mapping[str, str]) -> str:
    """Where the values of these fields come from: "node.toml", a variable, or several of these."""
    found = dict.fromkeys(overridden.get(each, str(path)) for each in fields)
    return " and ".join(found)


def _nearest(name: str, known: list[str]) -> str:
    found = difflib.get_close_matches(name, known, 1)
    return f" (did you mean {found[0]}?)" if found else ""
