"""Commands of other installed packages, from the entry point group `tiro.commands`.

They are imported only when they are called or listed: `tiro transcribe` must not wait for a service's imports.
"""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

import typer
from typer.core import TyperGroup

from tiro_client.cli import exit_codes
from tiro_client.cli.console import notes

GROUP = "tiro.commands"
KNOWN = {"keys": "tiro-ingest", "models": "tiro-engines[models]", "usage": "tiro-ingest"}
"""Commands of Tiro's other packages, and the package of each."""


class PluginGroup(TyperGroup):
    """A command group that finds further commands in installed packages."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of all commands whose packages are installed."""
        own = super().list_commands(ctx)
        return [*own, *sorted(name for name in _found() if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A command by name. None if there is none."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        plugin = _found().get(cmd_name)
        if plugin is not None:
            return _load(plugin)
        if cmd_name in KNOWN:
            return _unavailable(
                cmd_name, f"`tiro {cmd_name}` comes with the package {KNOWN[cmd_name]}: install it here"
            )
        return None


def _found() -> dict[str, EntryPoint]:
    return {plugin.name: plugin for plugin in entry_points(group=GROUP)}


def _load(plugin: EntryPoint) -> Any:
    package = plugin.dist.name if plugin.dist else plugin.value
    try:
        app = plugin.load()
    except Exception as error:  # noqa: BLE001 - a package that fails to import must not disable the other commands
        return _unavailable(plugin.name, f"`tiro {plugin.name}` cannot be loaded from {package}: {error!r}")
    if not isinstance(app, typer.Typer):
        return _unavailable(plugin.name, f"`tiro {plugin.name}` of {package} is not a typer.Typer")
    command = typer.main.get_command(app)
    command.name = plugin.name
    return command


def _unavailable(name: str, why: str) -> Any:
    """A command that accepts any arguments and only says why it cannot be used."""
    app = typer.Typer(add_completion=False)

    @app.command(
        name, help=f"Not available: {why}", context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
    )
    def refuse() -> None:
        notes().print(f"tiro: {why}")
        raise typer.Exit(exit_codes.USAGE)

    return typer.main.get_command(app)
