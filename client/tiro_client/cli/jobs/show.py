"""`tiro jobs list`, `get`: list and show jobs."""

from collections.abc import Iterator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console

from tiro_client.cli import exit_codes
from tiro_client.cli.client_options import ClientOptions, options_of
from tiro_client.cli.console import clock, notes, print_json, results
from tiro_client.cli.explanations import describe
from tiro_client.cli.jobs.arguments import AsJson, JobArgument
from tiro_client.cli.jobs.job_names import full_id
from tiro_client.cli.jobs.plain_data import job_to_dict
from tiro_client.cli.runner import run
from tiro_client.cli.tables import print_table
from tiro_client.jobs.job import Job, JobState

LIST_LIMIT = 20
"""Jobs that are listed, unless the caller says otherwise."""
PAGE_SIZE_MAX = 1000
"""Jobs per call that the contract allows."""
NAME_COLUMNS_MAX = 60
"""Columns of a recording's name in a terminal; the whole name is in `tiro jobs get`, and in pipes."""


def list_jobs(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Number of jobs.")] = LIST_LIMIT,
    state: Annotated[JobState | None, typer.Option("--state", help="Only jobs in this state.")] = None,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first."""
    run(_list(options_of(context), limit, state, as_json=as_json))


def get_job(context: typer.Context, job: JobArgument, as_json: AsJson = False) -> None:
    """Show one job."""
    run(_get(options_of(context), job, as_json=as_json))


async def _list(options: ClientOptions, limit: int, state: JobState | None, *, as_json: bool) -> int:
    jobs: list[Job] = []
    more = False
    page_size = PAGE_SIZE_MAX if state else min(limit + 1, PAGE_SIZE_MAX)
    async with options.client() as client, aclosing(client.list(page_size=page_size)) as found:
        async for job in found:
            if state not in (None, job.state):
                continue
            if len(jobs) == limit:
                more = True
                break
            jobs.append(job)
    console = results()
    if as_json:
        for job in jobs:
            print_json(console, job_to_dict(job))
        return exit_codes.OK
    columns = ("job", "created", "state", "audio", "engine", "model", "name")
    print_table(console, columns, (_row(job, console) for job in jobs))
    if more:
        notes().print(f"there are more than {limit}: --limit shows more")
    return exit_codes.OK


async def _get(options: ClientOptions, name: str, *, as_json: bool) -> int:
    async with options.client() as client:
        job = await client.get(await full_id(client, name))
    console = results()
    if as_json:
        print_json(console, job_to_dict(job))
    else:
        for label, value in _described(job):
            if value:
                console.print(f"{f'{label}:':<12} {value}")
    return exit_codes.OK


def _row(job: Job, console: Console) -> tuple[str, ...]:
    name = job.display_name
    if console.is_terminal and len(name) > NAME_COLUMNS_MAX:
        name = name[: NAME_COLUMNS_MAX - 1] + "\N{HORIZONTAL ELLIPSIS}"
    identity = (job.name.removeprefix("transcriptions/"), _time(job.create_time), job.state.value)
    return (*identity, clock(job.audio_seconds), job.engine, job.model, name)


def _described(job: Job) -> Iterator[tuple[str, str]]:
    """The fields of a job for people, each with its label. Times are local."""
    yield "job", job.name
    yield "recording", " ".join(job.display_name.split())
    yield "state", job.state.value
    yield "waiting for", job.waiting_for
    yield "error", describe(job.error) if job.error else ""
    yield "engine", f"{job.engine}, model {job.model}"
    yield "language", job.language or (job.transcript.language if job.transcript else "")
    yield "audio", clock(job.audio_seconds) if job.audio_seconds else ""
    yield "transcribed", clock(job.transcribed_seconds) if job.transcribed_seconds else ""
    yield "attempt", str(job.attempt) if job.attempt > 1 else ""
    yield "retry of", job.retry_of
    yield "created", _time(job.create_time)
    yield "started", _time(job.start_time)
    yield "ended", _time(job.end_time)
    yield "kept until", _time(job.expire_time)
    yield "audio until", "deleted" if job.audio_deleted else _time(job.audio_expire_time)
    if job.transcript:
        yield "segments", str(job.transcript.segment_count)
        for warning in job.transcript.warnings:
            yield "warning", f"{warning.message} ({warning.reason})"


def _time(moment: datetime | None) -> str:
    """A local time with its zone. Empty for none."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") if moment else ""
