"""`tiro jobs transcript`: the transcript of a job, as the service writes it."""

from pathlib import Path
from typing import Annotated

import typer

from tiro_client.cli import exit_codes
from tiro_client.cli.console import notes, results
from tiro_client.cli.session import ClientOptions, options_of, run
from tiro_client.cli.transcribe.output import write_atomically
from tiro_client.cli.transcribe.recordings import displayed
from tiro_client.client import TextFormat
from tiro_client.jobs.subtitles import SubtitleOptions


def show_transcript(
    context: typer.Context,
    job: Annotated[str, typer.Argument(metavar="JOB", help="The job's name, or its bare id.")],
    *,
    format_: Annotated[TextFormat, typer.Option("--format", "-f", help="How to write it.")] = "txt",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file, not to stdout.")] = None,
    line_columns: Annotated[int, typer.Option(min=10, max=200, help="srt, vtt: columns a line.")] = 42,
    cue_lines: Annotated[int, typer.Option(min=1, max=5, help="srt, vtt: lines a cue.")] = 2,
    reading_speed: Annotated[int, typer.Option(min=5, max=100, help="srt, vtt: characters a second.")] = 17,
) -> None:
    """Write the transcript of a job that has succeeded."""
    subtitles = SubtitleOptions(line_columns, cue_lines, reading_speed)
    run(_show(options_of(context), job, format_, output, subtitles))


async def _show(
    options: ClientOptions, job: str, format_: TextFormat, output: Path | None, subtitles: SubtitleOptions
) -> int:
    async with options.client() as client:
        text = await client.get_transcript(job, format=format_, subtitles=subtitles)
    if output is None:
        results().out(text, end="", highlight=False)
        return exit_codes.OK
    try:
        write_atomically(output, text)
    except OSError as error:
        notes().print(f"{displayed(output)}: {error.strerror or error}")
        return exit_codes.USAGE
    return exit_codes.OK
