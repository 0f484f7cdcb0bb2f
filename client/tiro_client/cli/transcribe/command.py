"""`tiro transcribe`: recordings to text."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tiro_client.cli.client_options import ClientOptions, options_of
from tiro_client.cli.console import notes, results
from tiro_client.cli.option_groups import with_option_groups
from tiro_client.cli.recognition_arguments import RecognitionArguments
from tiro_client.cli.runner import run
from tiro_client.cli.transcribe.batch import Batch, BatchSettings
from tiro_client.cli.transcribe.job_arguments import JobArguments
from tiro_client.cli.transcribe.output import FolderOutput, Output, StdoutOutput
from tiro_client.cli.transcribe.progress import ProgressBoard
from tiro_client.cli.transcribe.recordings import OutputClash, Recording, output_names, recording_of
from tiro_formats.registry import WRITERS, writer_named
from tiro_formats.writer import TextFormat

CONCURRENCY_DEFAULT = 4
CONCURRENCY_MAX = 64
FORMAT_DEFAULT: TextFormat = "txt"


@with_option_groups
def transcribe(
    context: typer.Context,
    *,
    files: Annotated[
        list[str],
        typer.Argument(
            help="Recordings: files, URLs to fetch, or - for stdin. WAV, MP3, M4A, MP4, MKV, WebM, Ogg, FLAC, AMR and"
            " many more; docs/formats.md has the list."
        ),
    ],
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            "-f",
            help=f"Output format: {', '.join(WRITERS)}. Can be repeated, or a list with commas.",
            show_default=FORMAT_DEFAULT,
        ),
    ] = None,
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", "-o", help="Folder for files NAME.FORMAT; created if missing. Default: stdout."),
    ] = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-j", min=1, max=CONCURRENCY_MAX, help="Files to transcribe at once.")
    ] = CONCURRENCY_DEFAULT,
    recognition: RecognitionArguments,
    job: JobArguments,
) -> None:
    """Transcribe recordings. One that fails does not stop the others."""
    distinct = list(dict.fromkeys(recording_of(file) for file in files))
    output = _output(distinct, parse_formats(formats or []), output_dir)
    settings = BatchSettings(recognition.keywords(), job.job_options(), concurrency)
    run(_transcribe(options_of(context), distinct, settings, output))


async def _transcribe(
    options: ClientOptions, recordings: Sequence[Recording], settings: BatchSettings, output: Output
) -> int:
    with ProgressBoard(notes()) as board:
        async with options.client() as client:
            return await Batch(client, settings, board, output).run(recordings)


def parse_formats(given: Sequence[str]) -> list[TextFormat]:
    """The formats of `--format` options, each a name or a list of names with commas, without repetitions.

    Raises:
        typer.BadParameter: There is no such format.
    """
    names = [name.strip().lower() for item in given for name in item.split(",") if name.strip()]
    try:
        return list(dict.fromkeys(writer_named(name).name for name in names)) or [FORMAT_DEFAULT]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--format") from None


def _output(recordings: Sequence[Recording], formats: Sequence[TextFormat], folder: Path | None) -> Output:
    if folder is not None:
        if folder.exists() and not folder.is_dir():
            raise typer.BadParameter(f"{folder} is a file, not a folder", param_hint="--output-dir")
        try:
            return FolderOutput(folder, formats, output_names(recordings))
        except OutputClash as clash:
            raise typer.BadParameter(str(clash), param_hint="FILES") from None
    if len(formats) > 1 or (len(recordings) > 1 and formats != [FORMAT_DEFAULT]):
        raise typer.BadParameter(
            f"several formats, or several files in another format than {FORMAT_DEFAULT}, need a folder",
            param_hint="--output-dir",
        )
    return StdoutOutput(results(), formats[0], recordings)
