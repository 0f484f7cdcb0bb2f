"""`tiro watch`: follow the live session of another client."""

from typing import Annotated

import typer

from tiro_client.cli import exit_codes
from tiro_client.cli.client_options import ClientOptions, options_of
from tiro_client.cli.jobs.arguments import SEQUENCE_MAX
from tiro_client.cli.live.output_arguments import LiveOutputArguments
from tiro_client.cli.live.session_display import show
from tiro_client.cli.option_groups import with_option_groups
from tiro_client.cli.runner import run


@with_option_groups
def watch(
    context: typer.Context,
    *,
    session: Annotated[str, typer.Argument(help="Id of the session, which `tiro listen` prints when it begins.")],
    after: Annotated[
        int, typer.Option(min=0, max=SEQUENCE_MAX, help="Only events with a higher sequence number. 0: all events.")
    ] = 0,
    output: LiveOutputArguments,
) -> None:
    """Follow a live session from its beginning to its end. Ctrl-C stops following; the session continues."""
    run(_watch(options_of(context), session, after, output))


async def _watch(options: ClientOptions, session: str, after: int, output: LiveOutputArguments) -> int:
    async with options.client() as client:
        await show(client.watch_session(session.strip(), after_sequence=after), output)
    return exit_codes.OK
