"""`tiro jobs watch`: follow a job to its end."""

from contextlib import aclosing
from typing import Annotated

import typer
from rich.console import Console

from tiro_client.cli import exit_codes
from tiro_client.cli.client_options import ClientOptions, options_of
from tiro_client.cli.console import clock, print_json, results
from tiro_client.cli.explanations import describe
from tiro_client.cli.jobs.arguments import SEQUENCE_MAX, AsJson, JobArgument
from tiro_client.cli.jobs.job_names import full_id
from tiro_client.cli.jobs.plain_data import event_to_dict
from tiro_client.cli.runner import run
from tiro_client.jobs.job import JobState
from tiro_client.jobs.job_events import JobEvent, JobProgress, JobSegments, JobStateChanged


def watch_job(
    context: typer.Context,
    job: JobArgument,
    after: Annotated[
        int,
        typer.Option(
            "--after", min=0, max=SEQUENCE_MAX, help="Only events with a higher sequence number. 0: all events."
        ),
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Print the events of a job to its end. The exit code is 1 if it fails or is cancelled."""
    run(_watch(options_of(context), job, after, as_json=as_json))


async def _watch(options: ClientOptions, name: str, after: int, *, as_json: bool) -> int:
    console = results()
    state = JobState.UNKNOWN
    async with options.client() as client:
        name = await full_id(client, name)
        async with aclosing(client.watch(name, after_sequence=after)) as events:
            async for event in events:
                if as_json:
                    print_json(console, event_to_dict(event))
                else:
                    _print_event(console, event)
                console.file.flush()
                if isinstance(event, JobStateChanged):
                    state = event.job.state
        if state is JobState.UNKNOWN:
            # There was no event left: the job had ended before.
            state = (await client.get(name)).state
    return exit_codes.FAILED if state in {JobState.FAILED, JobState.CANCELLED} else exit_codes.OK


def _print_event(console: Console, event: JobEvent) -> None:
    match event:
        case JobStateChanged(job=job):
            more = job.waiting_for or (describe(job.error) if job.error else "")
            console.print(f"{event.sequence:4} {job.state.value}{f': {more}' if more else ''}")
        case JobProgress():
            console.print(f"{event.sequence:4} {_progress(event)}")
        case JobSegments():
            for segment in event.segments:
                console.print(f"{event.sequence:4} [{clock(segment.start_seconds)}] {segment.text.strip()}")


def _progress(event: JobProgress) -> str:
    if event.fetched_bytes:
        return f"{event.fetched_bytes / 1e6:.1f} MB fetched"
    return f"{clock(event.transcribed_seconds)} of {clock(event.audio_seconds)}"
