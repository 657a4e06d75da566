"""The commands by name. A command line loads only the one that it names."""

from __future__ import annotations

import importlib
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command

_MODULES: Final = {
    "init": "init",
    "pin": "pin",
    "prereg": "anchor",
    "anchor": "anchor",
    "run": "run",
    "complete": "complete",
    "verify": "verify",
    "equivocation": "equivocation",
    "show": "show",
    "find": "find",
    "log": "show",
    "export": "export",
    "status": "status",
}
"""The module of each, in the order in which help lists them."""
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
        super().__init__(dict.fromkeys(_MODULES))

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self:
            return default
        return self[name]

    def __getitem__(self, name: str) -> Any:
        alone = typer.Typer(
            rich_markup_mode=None, add_completion=False, context_settings={"help_option_names": ["-h", "--help"]}
        )
        function = getattr(importlib.import_module(f"notarium.cli.{_MODULES[name]}"), name)
        alone.command(name, context_settings=_SETTINGS.get(name))(function)
        return get_command(alone)
