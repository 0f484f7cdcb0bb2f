"""`tiro jobs list`, `get`: list and show jobs."""

from contextlib import aclosing
from typing import Annotated

import typer
from rich.table import Column, Table

from tiro_client.cli import exit_codes
from tiro_client.cli.client_options import ClientOptions, options_of
from tiro_client.cli.console import clock, print_json, results
from tiro_client.cli.jobs.arguments import AsJson, JobArgument
from tiro_client.cli.jobs.plain_data import job_to_dict
from tiro_client.cli.runner import run
from tiro_client.jobs.job import Job

LIST_LIMIT = 20
"""Jobs that are listed, unless the caller says otherwise."""
PAGE_SIZE_MAX = 1000
"""Jobs per call that the contract allows."""


def list_jobs(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Number of jobs.")] = LIST_LIMIT,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first."""
    run(_list(options_of(context), limit, as_json=as_json))


def get_job(context: typer.Context, job: JobArgument, as_json: AsJson = False) -> None:
    """Show one job."""
    run(_get(options_of(context), job, as_json=as_json))


async def _list(options: ClientOptions, limit: int, *, as_json: bool) -> int:
    jobs: list[Job] = []
    async with options.client() as client, aclosing(client.list(page_size=min(limit, PAGE_SIZE_MAX))) as found:
        async for job in found:
            jobs.append(job)
            if len(jobs) == limit:
                break
    console = results()
    if as_json:
        for job in jobs:
            print_json(console, job_to_dict(job))
    else:
        console.print(_table(jobs))
    return exit_codes.OK


async def _get(options: ClientOptions, name: str, *, as_json: bool) -> int:
    async with options.client() as client:
        job = await client.get(name)
    console = results()
    if as_json:
        print_json(console, job_to_dict(job))
    else:
        for key, value in job_to_dict(job).items():
            if value not in (None, "", 0):
                console.print(f"{key}: {value}")
    return exit_codes.OK


def _table(jobs: list[Job]) -> Table:
    # Ids are copied and dates are read: the other columns are shortened where the line is too long.
    identity = (Column("job", min_width=36), Column("created", min_width=19))
    table = Table(*identity, "state", "audio", "engine", "model", "name", box=None)
    for job in jobs:
        created = job.create_time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if job.create_time else ""
        names = (job.name.removeprefix("transcriptions/"), created, job.state.value, clock(job.audio_seconds))
        table.add_row(*names, job.engine, job.model, job.display_name)
    return table
