"""`tiro jobs cancel`, `retry`, `delete`: change jobs, several at a time."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from tiro_client.cli import exit_codes
from tiro_client.cli.client_options import ClientOptions, options_of
from tiro_client.cli.console import notes, print_json, results
from tiro_client.cli.explanations import describe
from tiro_client.cli.jobs.arguments import AsJson, JobArguments
from tiro_client.cli.jobs.job_names import full_id
from tiro_client.cli.runner import run
from tiro_client.client import AsyncClient
from tiro_client.errors import TiroError
from tiro_client.jobs.job_client import job_name

Change = Callable[[AsyncClient, str], Awaitable["Changed"]]
"""Changes the job of an id."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A job that was changed."""

    name: str
    sentence: str
    """What was done, in one line."""


def cancel_jobs(context: typer.Context, jobs: JobArguments, *, as_json: AsJson = False) -> None:
    """Cancel jobs that have not ended."""
    run(_change(options_of(context), jobs, _cancel, as_json=as_json))


def retry_jobs(context: typer.Context, jobs: JobArguments, *, as_json: AsJson = False) -> None:
    """Create new jobs from jobs that have failed or were cancelled, and print their names."""
    run(_change(options_of(context), jobs, _retry, as_json=as_json))


def delete_jobs(
    context: typer.Context,
    jobs: JobArguments,
    *,
    audio_only: Annotated[bool, typer.Option("--audio-only", help="Delete only the recordings.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete jobs with their transcripts and recordings. Jobs that have not ended are cancelled."""
    if not yes:
        if sys.stdin is None or not sys.stdin.isatty():
            raise typer.BadParameter("nobody can be asked for confirmation here: say --yes", param_hint="--yes")
        what = "the recordings of " if audio_only else ""
        typer.confirm(f"Delete {what}{len(jobs)} job{'s' if len(jobs) > 1 else ''}?", abort=True, err=True)
    run(_change(options_of(context), jobs, _delete_audio if audio_only else _delete, as_json=as_json))


async def _change(options: ClientOptions, jobs: Sequence[str], change: Change, *, as_json: bool) -> int:
    """Change one job after the other. One that cannot be changed does not stop the others."""
    codes = []
    async with options.client() as client:
        for job in jobs:
            try:
                changed = await change(client, await full_id(client, job))
            except TiroError as error:
                notes().print(f"{job}: {describe(error)}")
                codes.append(exit_codes.exit_code_of(error))
            else:
                if as_json:
                    print_json(results(), {"job": job, "name": changed.name})
                else:
                    results().print(changed.sentence)
    if not codes:
        return exit_codes.OK
    return codes[0] if len(jobs) == 1 else exit_codes.FAILED


async def _cancel(client: AsyncClient, job: str) -> Changed:
    name = (await client.cancel(job)).name
    return Changed(name, f"{name} cancelled")


async def _retry(client: AsyncClient, job: str) -> Changed:
    name = (await client.retry(job)).name
    return Changed(name, name)


async def _delete(client: AsyncClient, job: str) -> Changed:
    await client.delete(job)
    return Changed(job_name(job), f"{job_name(job)} deleted")


async def _delete_audio(client: AsyncClient, job: str) -> Changed:
    name = (await client.delete_audio(job)).name
    return Changed(name, f"{name} has no recording any more")
