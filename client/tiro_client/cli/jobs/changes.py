"""`tiro jobs cancel`, `retry`, `delete`: change jobs, several at a time."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

import typer

from tiro_client.cli import exit_codes
from tiro_client.cli.client_options import ClientOptions, options_of
from tiro_client.cli.console import notes, results
from tiro_client.cli.jobs.arguments import JobArguments
from tiro_client.cli.runner import describe, run
from tiro_client.client import AsyncClient
from tiro_client.errors import TiroError
from tiro_client.jobs.job_client import job_name

Change = Callable[[AsyncClient, str], Awaitable[str]]
"""Changes the job of a name, and returns what it did, in one line."""


def cancel_jobs(context: typer.Context, jobs: JobArguments) -> None:
    """Cancel jobs that have not ended."""
    run(_change(options_of(context), jobs, _cancel))


def retry_jobs(context: typer.Context, jobs: JobArguments) -> None:
    """Create new jobs from jobs that have failed or were cancelled, and print their names."""
    run(_change(options_of(context), jobs, _retry))


def delete_jobs(
    context: typer.Context,
    jobs: JobArguments,
    *,
    audio_only: Annotated[bool, typer.Option("--audio-only", help="Delete only the recordings.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete jobs with their transcripts and recordings. Jobs that have not ended are cancelled."""
    if not yes:
        if sys.stdin is None or not sys.stdin.isatty():
            raise typer.BadParameter("nobody can be asked for confirmation here: say --yes", param_hint="--yes")
        what = "the recordings of " if audio_only else ""
        typer.confirm(f"Delete {what}{len(jobs)} job{'s' if len(jobs) > 1 else ''}?", abort=True, err=True)
    run(_change(options_of(context), jobs, _delete_audio if audio_only else _delete))


async def _change(options: ClientOptions, jobs: Sequence[str], change: Change) -> int:
    """Change one job after the other. One that cannot be changed does not stop the others."""
    codes = []
    async with options.client() as client:
        for job in jobs:
            try:
                results().print(await change(client, job))
            except TiroError as error:
                notes().print(f"{job_name(job)}: {describe(error)}")
                codes.append(exit_codes.exit_code_of(error))
    if not codes:
        return exit_codes.OK
    return codes[0] if len(jobs) == 1 else exit_codes.FAILED


async def _cancel(client: AsyncClient, job: str) -> str:
    return f"{(await client.cancel(job)).name} cancelled"


async def _retry(client: AsyncClient, job: str) -> str:
    return (await client.retry(job)).name


async def _delete(client: AsyncClient, job: str) -> str:
    await client.delete(job)
    return f"{job_name(job)} deleted"


async def _delete_audio(client: AsyncClient, job: str) -> str:
    return f"{(await client.delete_audio(job)).name} has no recording any more"
