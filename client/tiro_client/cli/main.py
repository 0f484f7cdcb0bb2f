"""The `tiro` command: what is common to all its commands."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import stamina.instrumentation
import typer

from tiro_client.cli import engines, exit_codes
from tiro_client.cli.jobs import commands as jobs
from tiro_client.cli.live import listen, watch
from tiro_client.cli.plugins import PluginGroup
from tiro_client.cli.session import ClientOptions
from tiro_client.cli.transcribe import command as transcribe
from tiro_client.settings import (
    ADDRESS_VARIABLE,
    API_KEY_VARIABLE,
    DEFAULT_ADDRESS,
    STREAMING_ADDRESS_VARIABLE,
    TLS_CA_VARIABLE,
)


def build_app() -> typer.Typer:
    """The command line with all its commands."""
    app = typer.Typer(
        name="tiro",
        cls=PluginGroup,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        help=f"Speech to text, on your own machines.\n\n{exit_codes.HELP}",
    )
    app.callback()(_common)
    app.command("transcribe")(transcribe.transcribe)
    app.command("listen")(listen.listen)
    app.command("watch")(watch.watch)
    app.add_typer(jobs.app, name="jobs")
    app.command("engines")(engines.engines)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: What follows the program's name. None takes this process's.

    Returns:
        An exit code of `tiro_client.cli.exit_codes`.
    """
    # stamina reports each retry through the process's logging, which would write between results and progress.
    stamina.instrumentation.set_on_retry_hooks([])
    try:
        build_app()(list(sys.argv[1:] if arguments is None else arguments), prog_name="tiro")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else exit_codes.INTERNAL
    return exit_codes.OK


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tiro {version('tiro-client')}")
        raise typer.Exit


def _common(
    context: typer.Context,
    *,
    address: Annotated[
        str | None,
        typer.Option(envvar=ADDRESS_VARIABLE, help="host:port of uploads and jobs.", show_default=DEFAULT_ADDRESS),
    ] = None,
    streaming_address: Annotated[
        str | None,
        typer.Option(
            envvar=STREAMING_ADDRESS_VARIABLE,
            help="host:port of live streams.",
            show_default="--address where given, else 127.0.0.1:50052",
        ),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(envvar=API_KEY_VARIABLE, help="API key. Safer in the environment: others see command lines."),
    ] = None,
    tls_ca: Annotated[
        str | None,
        typer.Option(
            envvar=TLS_CA_VARIABLE,
            help="Use TLS, with the certificate authorities of this PEM file; `system` for the usual ones.",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    context.obj = ClientOptions(address, streaming_address, api_key, tls_ca)
