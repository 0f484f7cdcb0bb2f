"""`tiro transcribe`: recordings to text."""

from collections.abc import Sequence
from typing import Annotated

import typer

from tiro_client.cli import exit_codes
from tiro_client.cli.client_options import ClientOptions, options_of
from tiro_client.cli.console import notes
from tiro_client.cli.option_groups import with_option_groups
from tiro_client.cli.recognition_arguments import RecognitionArguments
from tiro_client.cli.runner import run
from tiro_client.cli.subtitle_arguments import SubtitleArguments
from tiro_client.cli.transcribe.batch import Batch, BatchSettings
from tiro_client.cli.transcribe.job_arguments import JobArguments
from tiro_client.cli.transcribe.output import Output
from tiro_client.cli.transcribe.output_arguments import OutputArguments
from tiro_client.cli.transcribe.progress import ProgressBoard
from tiro_client.cli.transcribe.recordings import Recording, recording_of
from tiro_client.cli.transcribe.rendering import Rendering
from tiro_client.cli.workers import missing_worker

CONCURRENCY_DEFAULT = 4
CONCURRENCY_MAX = 64


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
    output: OutputArguments,
    subtitles: SubtitleArguments,
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-j", min=1, max=CONCURRENCY_MAX, help="Files to transcribe at once.")
    ] = CONCURRENCY_DEFAULT,
    wait: Annotated[
        bool, typer.Option("--wait", help="If no worker runs the model, wait for one instead of refusing.")
    ] = False,
    recognition: RecognitionArguments,
    job: JobArguments,
) -> None:
    """Transcribe recordings. One that fails does not stop the others. Ctrl-C cancels the jobs."""
    distinct = list(dict.fromkeys(recording_of(file) for file in files))
    settings = BatchSettings(
        recognition=recognition.keywords(),
        options=job.job_options(),
        concurrency=concurrency,
        rendering=Rendering(subtitles=subtitles.options(), timestamps=output.timestamps, json_lines=output.as_json),
        waits=wait,
    )
    destination = output.destination(distinct)
    run(_transcribe(options_of(context), distinct, settings, destination, quiet=output.quiet))


async def _transcribe(
    options: ClientOptions, recordings: Sequence[Recording], settings: BatchSettings, output: Output, *, quiet: bool
) -> int:
    with ProgressBoard(notes(), quiet=quiet) as board:
        async with options.client() as client:
            if not settings.waits and (missing := await missing_worker(client, settings.recognition)):
                board.error(f"tiro: {missing}")
                return exit_codes.UNREACHABLE
            return await Batch(client, settings, board, output).run(recordings)
