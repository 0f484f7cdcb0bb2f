"""The `tiro` command and its global options."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated

import typer

from tiro_client.cli import engines, exit_codes
from tiro_client.cli.client_options import ClientOptions
from tiro_client.cli.jobs import group as jobs
from tiro_client.cli.live import listen, watch
from tiro_client.cli.plugins import PluginGroup
from tiro_client.cli.streams import prepare_streams
from tiro_client.cli.transcribe import command as transcribe
from tiro_client.settings import (
    ADDRESS_VARIABLE,
    API_KEY_VARIABLE,
    DEFAULT_ADDRESS,
    DEFAULT_STREAMING_ADDRESS,
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
        context_settings={"help_option_names": ["-h", "--help"]},
        help=f"Self-hosted speech to text.\n\n{exit_codes.HELP}",
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
        arguments: The arguments after the program's name. None: those of this process.

    Returns:
        An exit code of `tiro_client.cli.exit_codes`.
    """
    prepare_streams()
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
        typer.Option(
            envvar=ADDRESS_VARIABLE, help="Address of uploads and jobs, host:port.", show_default=DEFAULT_ADDRESS
        ),
    ] = None,
    streaming_address: Annotated[
        str | None,
        typer.Option(
            envvar=STREAMING_ADDRESS_VARIABLE,
            help="Address of live streams, host:port.",
            show_default=f"--address if given, else {DEFAULT_STREAMING_ADDRESS}",
        ),
    ] = None,
    api_key: Annotated[
        str | None,
        typer.Option(
            envvar=API_KEY_VARIABLE,
            help="API key. Prefer the environment variable: other users can read command lines.",
        ),
    ] = None,
    tls_ca: Annotated[
        str | None,
        typer.Option(
            envvar=TLS_CA_VARIABLE,
            help="Use TLS, with the certificate authorities in this PEM file, or `system` for well-known ones.",
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback acts on it
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    context.obj = ClientOptions(address, streaming_address, api_key, tls_ca)
