"""`tiro jobs transcript`: the transcript of a job, as the service writes it."""

from pathlib import Path
from typing import Annotated

import typer

from tiro_client.cli import exit_codes
from tiro_client.cli.client_options import ClientOptions, options_of
from tiro_client.cli.console import notes, results
from tiro_client.cli.jobs.arguments import JobArgument
from tiro_client.cli.runner import run
from tiro_client.cli.transcribe.output import write_atomically
from tiro_client.cli.transcribe.recordings import displayed
from tiro_client.jobs.subtitle_options import SubtitleOptions
from tiro_formats.cues import CUE_LINES_MAX, LINE_COLUMNS_MAX, READING_SPEED
from tiro_formats.registry import WRITERS
from tiro_formats.writer import TextFormat

_SUBTITLES = ", ".join(name for name, writer in WRITERS.items() if writer.uses_cues)


def get_transcript(
    context: typer.Context,
    job: JobArgument,
    *,
    text_format: Annotated[TextFormat, typer.Option("--format", "-f", help="Output format.")] = "txt",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write. Default: stdout.")] = None,
    line_columns: Annotated[
        int, typer.Option(min=10, max=200, help=f"{_SUBTITLES}: columns per line.")
    ] = LINE_COLUMNS_MAX,
    cue_lines: Annotated[int, typer.Option(min=1, max=5, help=f"{_SUBTITLES}: lines per cue.")] = CUE_LINES_MAX,
    reading_speed: Annotated[
        int, typer.Option(min=5, max=100, help=f"{_SUBTITLES}: characters per second.")
    ] = READING_SPEED,
) -> None:
    """Print the transcript of a job that has succeeded, or write it to a file."""
    subtitles = SubtitleOptions(line_columns, cue_lines, reading_speed)
    run(_get(options_of(context), job, text_format, output, subtitles))


async def _get(
    options: ClientOptions, job: str, text_format: TextFormat, output: Path | None, subtitles: SubtitleOptions
) -> int:
    async with options.client() as client:
        text = await client.get_transcript(job, format=text_format, subtitles=subtitles)
    if output is None:
        results().out(text, end="", highlight=False)
        return exit_codes.OK
    try:
        write_atomically(output, text)
    except OSError as error:
        notes().print(f"{displayed(output)}: {error.strerror or error}")
        return exit_codes.USAGE
    return exit_codes.OK
