"""`tiro jobs`: look at jobs."""

from contextlib import aclosing
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from tiro_client.cli import exit_codes
from tiro_client.cli.console import clock, print_json, results
from tiro_client.cli.jobs import changes, transcript
from tiro_client.cli.session import ClientOptions, describe, options_of, run
from tiro_client.errors import TiroError
from tiro_client.jobs.models import Job, JobEvent, JobProgress, JobSegments, JobState, JobStateChanged
from tiro_client.transcript import Segment

LIST_LIMIT = 20
_SECONDS_DIGITS = 3
_CONFIDENCE_DIGITS = 4

app = typer.Typer(help="Look at jobs, and end them.", no_args_is_help=True)
app.command("cancel")(changes.cancel_jobs)
app.command("retry")(changes.retry_jobs)
app.command("delete")(changes.delete_jobs)
app.command("transcript")(transcript.show_transcript)

AsJson = Annotated[bool, typer.Option("--json", help="One line of JSON for each.")]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="The job's name, or its bare id.")]


@app.command("list")
def list_jobs(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = LIST_LIMIT,
    as_json: AsJson = False,
) -> None:
    """List jobs, the newest first."""
    run(_list(options_of(context), limit, as_json=as_json))


@app.command("get")
def get_job(context: typer.Context, job: JobArgument, as_json: AsJson = False) -> None:
    """Show one job."""
    run(_get(options_of(context), job, as_json=as_json))


@app.command("watch")
def watch_job(
    context: typer.Context,
    job: JobArgument,
    after: Annotated[int, typer.Option("--after", min=0, help="Only what comes after this event.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Follow a job to its end. Exits with 1 when it fails or is cancelled."""
    run(_watch(options_of(context), job, after, as_json=as_json))


async def _list(options: ClientOptions, limit: int, *, as_json: bool) -> int:
    jobs: list[Job] = []
    async with options.client() as client, aclosing(client.list(page_size=min(limit, 1000))) as found:
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


async def _watch(options: ClientOptions, name: str, after: int, *, as_json: bool) -> int:
    console = results()
    state = JobState.UNKNOWN
    async with options.client() as client, aclosing(client.watch(name, after_sequence=after)) as events:
        async for event in events:
            if as_json:
                print_json(console, event_to_dict(event))
            else:
                _print_event(console, event)
            console.file.flush()
            if isinstance(event, JobStateChanged):
                state = event.job.state
        if state is JobState.UNKNOWN:
            # Nothing was left to watch: the job had ended before.
            state = (await client.get(name)).state
    return exit_codes.FAILED if state in {JobState.FAILED, JobState.CANCELLED} else exit_codes.OK


def _table(jobs: list[Job]) -> Table:
    # A job's id is there to be copied, and its date to be read: others give way where the line is short.
    identity = (Column("job", min_width=36), Column("created", min_width=19))
    table = Table(*identity, "state", "audio", "engine", "model", "name", box=None)
    for job in jobs:
        created = job.create_time.astimezone().strftime("%Y-%m-%d %H:%M:%S") if job.create_time else ""
        names = (job.name.removeprefix("transcriptions/"), created, job.state.value, clock(job.audio_seconds))
        table.add_row(*names, job.engine, job.model, job.display_name)
    return table


def _print_event(console: Console, event: JobEvent) -> None:
    match event:
        case JobStateChanged(job=job):
            more = job.waiting_for or (describe(job.error) if job.error else "")
            console.print(f"{event.sequence:4} {job.state.value}{f': {more}' if more else ''}")
        case JobProgress():
            console.print(f"{event.sequence:4} {_how_far(event)}")
        case JobSegments():
            for segment in event.segments:
                console.print(f"{event.sequence:4} [{clock(segment.start_seconds)}] {segment.text.strip()}")


def _how_far(event: JobProgress) -> str:
    if event.fetched_bytes:
        return f"{event.fetched_bytes / 1e6:.1f} MB fetched"
    return f"{clock(event.transcribed_seconds)} of {clock(event.audio_seconds)}"


def job_to_dict(job: Job) -> dict[str, Any]:
    """A job as plain data: moments in ISO 8601, the error as reason, code and message."""
    error, transcript = job.error, job.transcript
    data = {name: getattr(job, name) for name in Job.__slots__}
    moments = {key: value.isoformat() for key, value in data.items() if isinstance(value, datetime)}
    return {
        **data,
        **moments,
        "state": job.state.value,
        "error": error and error_to_dict(error),
        "transcript": transcript and asdict(transcript),
    }


def error_to_dict(error: TiroError) -> dict[str, Any]:
    """An error as plain data."""
    return {"reason": error.reason, "code": error.code.name, "message": error.message}


def event_to_dict(event: JobEvent) -> dict[str, Any]:
    """An event as plain data, its kind under `event`."""
    numbers = {"sequence": event.sequence, "attempt": event.attempt}
    match event:
        case JobStateChanged(job=job):
            return {**numbers, "event": "state_changed", "job": job_to_dict(job)}
        case JobProgress():
            done, total = event.transcribed_seconds, event.audio_seconds
            far = {"transcribed_seconds": done, "audio_seconds": total, "fetched_bytes": event.fetched_bytes}
            return {**numbers, "event": "progress", **far}
        case JobSegments():
            return {**numbers, "event": "segments", "segments": [_segment_to_dict(item) for item in event.segments]}


def _segment_to_dict(segment: Segment) -> dict[str, Any]:
    """A segment as plain data."""
    return {
        "text": segment.text,
        "start_seconds": round(segment.start_seconds, _SECONDS_DIGITS),
        "end_seconds": round(segment.end_seconds, _SECONDS_DIGITS),
        "language": segment.language,
        "words": [
            {
                "text": word.text,
                "start_seconds": round(word.start_seconds, _SECONDS_DIGITS),
                "end_seconds": round(word.end_seconds, _SECONDS_DIGITS),
                "confidence": _rounded(word.confidence),
            }
            for word in segment.words
        ],
    }


def _rounded(probability: float | None) -> float | None:
    # It comes as a 32-bit float: more digits would be noise.
    return None if probability is None else round(probability, _CONFIDENCE_DIGITS)
