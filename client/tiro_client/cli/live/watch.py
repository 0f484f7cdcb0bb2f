"""`tiro watch`: follow a live session that somebody else speaks in."""

from typing import Annotated

import typer

from tiro_client.cli import exit_codes
from tiro_client.cli.interrupts import first_interrupt
from tiro_client.cli.live.listen import show
from tiro_client.cli.session import ClientOptions, options_of, run


def watch(
    context: typer.Context,
    session: Annotated[str, typer.Argument(help="The session's id, as `tiro listen` shows it.")],
    *,
    after: Annotated[int, typer.Option(min=0, help="Only what comes after this event.")] = 0,
) -> None:
    """Follow a live session from its beginning to its end. Ctrl-C stops following; the session goes on."""
    run(_watch(options_of(context), session, after))


async def _watch(options: ClientOptions, session: str, after: int) -> int:
    async with options.client() as client:
        with first_interrupt() as interrupted:
            await show(client.watch_session(session, after_sequence=after), interrupted)
    return exit_codes.OK
