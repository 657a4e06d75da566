"""The commands by name. A command line loads only the one that it names."""

from __future__ import annotations

import importlib
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

_PLACES: Final = {
    "init": "init:init",
    "pin": "pin:pin",
    "prereg": "anchor:prereg",
    "anchor": "anchor:anchor",
    "run": "run:run",
    "runs": "runs:app",
    "complete": "complete:complete",
    "verify": "verify:verify",
    "equivocation": "equivocation:equivocation",
    "show": "show:show",
    "diff": "diff:diff",
    "find": "find:find",
    "log": "show:log",
    "export": "export:export",
    "status": "status:status",
}
"""Module and name of each, in the order in which help lists them. A typer.Typer has commands of its own."""
_SETTINGS: Final = {
    # What follows the name of the command to run belongs to it, also where it looks like an option.
    "run": {"ignore_unknown_options": True, "allow_interspersed_args": False},
}


class Commands(TyperGroup):
    """The commands of `notarium`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _Loaded()


class _Loaded(dict[str, Any]):
    """Each command is loaded when it is asked for; the names are known before."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(_PLACES))

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self:
            return default
        return self[name]

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = _PLACES[name].partition(":")
        found = getattr(importlib.import_module(f"notarium.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            group = get_group(found)
            group.name = name
            return group
        alone = typer.Typer(
            rich_markup_mode=None, add_completion=False, context_settings={"help_option_names": ["-h", "--help"]}
        )
        alone.command(name, context_settings=_SETTINGS.get(name))(found)
        return get_command(alone)
