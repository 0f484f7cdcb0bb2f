"""`tiro jobs transcript`: the transcript of a job, as the service writes it."""

from pathlib import Path
from typing import Annotated

import typer

from tiro_client.cli import exit_codes
from tiro_client.cli.client_options import ClientOptions, options_of
from tiro_client.cli.console import notes, results
from tiro_client.cli.jobs.arguments import JobArgument
from tiro_client.cli.jobs.job_names import full_id
from tiro_client.cli.option_groups import with_option_groups
from tiro_client.cli.runner import run
from tiro_client.cli.subtitle_arguments import SubtitleArguments
from tiro_client.cli.transcribe.output import write_atomically
from tiro_client.cli.transcribe.recordings import displayed
from tiro_client.jobs.subtitle_options import SubtitleOptions
from tiro_formats.writer import TextFormat


@with_option_groups
def get_transcript(
    context: typer.Context,
    *,
    job: JobArgument,
    text_format: Annotated[TextFormat, typer.Option("--format", "-f", help="Output format.")] = "txt",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write. Default: stdout.")] = None,
    subtitles: SubtitleArguments,
) -> None:
    """Print the transcript of a job that has succeeded, or write it to a file."""
    run(_get(options_of(context), job, "json" if as_json else text_format, output, subtitles.options()))


async def _get(
    options: ClientOptions, job: str, text_format: TextFormat, output: Path | None, subtitles: SubtitleOptions
) -> int:
    async with options.client() as client:
        text = await client.get_transcript(await full_id(client, job), format=text_format, subtitles=subtitles)
    if output is None:
        results().out(text, end="", highlight=False)
        return exit_codes.OK
    try:
        write_atomically(output, text)
    except OSError as error:
        notes().print(f"{displayed(output)}: {error.strerror or error}")
        return exit_codes.USAGE
    return exit_codes.OK
