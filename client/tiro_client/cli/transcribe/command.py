"""`tiro transcribe`: recordings to text."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tiro_client.cli.console import notes, results
from tiro_client.cli.jobs.options import CallbackTo, Channels, End, InLane, Multilingual, Prompt, Start, Translate
from tiro_client.cli.recognition_options import Engine, Hotwords, Language, Model, Region
from tiro_client.cli.session import ClientOptions, options_of, run
from tiro_client.cli.transcribe.batch import Batch, Recognition
from tiro_client.cli.transcribe.output import FolderOutput, Output, StdoutOutput
from tiro_client.cli.transcribe.progress import ProgressBoard
from tiro_client.cli.transcribe.recordings import OutputClash, Recording, output_names, recording_of
from tiro_client.jobs.formats import TranscriptFormat
from tiro_client.jobs.options import JobOptions, Lane

CONCURRENCY_DEFAULT = 4
CONCURRENCY_MAX = 64


def transcribe(
    context: typer.Context,
    *,
    files: Annotated[
        list[str], typer.Argument(help="Recordings in any format that FFmpeg reads: files, or URLs that are fetched.")
    ],
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            "-f",
            help="txt, srt, vtt, tsv, json or words. May be repeated, or a comma list.",
            show_default="txt",
        ),
    ] = None,
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", "-o", help="Write NAME.FORMAT here instead of to stdout. Made when missing."),
    ] = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-j", min=1, max=CONCURRENCY_MAX, help="Files under way at once.")
    ] = CONCURRENCY_DEFAULT,
    engine: Engine = "",
    model: Model = "",
    language: Language = "",
    hotwords: Hotwords = None,
    region: Region = "",
    start: Start = 0.0,
    end: End = None,
    prompt: Prompt = "",
    translate: Translate = False,
    multilingual: Multilingual = False,
    separate_channels: Channels = False,
    callback: CallbackTo = "",
    lane: InLane = Lane.INTERACTIVE,
) -> None:
    """Transcribe recordings. One that fails does not stop the others."""
    distinct = list(dict.fromkeys(recording_of(file) for file in files))
    output = _output(distinct, parse_formats(formats or []), output_dir)
    job_options = JobOptions(
        start_seconds=start,
        end_seconds=end,
        initial_prompt=prompt,
        translate=translate,
        multilingual=multilingual,
        separate_channels=separate_channels,
        callback=callback,
        lane=lane,
    )
    recognition = Recognition(engine, model, language, hotwords or [], region, job_options)
    run(_transcribe(options_of(context), distinct, recognition, output, concurrency))


async def _transcribe(
    options: ClientOptions, files: Sequence[Recording], recognition: Recognition, output: Output, concurrency: int
) -> int:
    with ProgressBoard(notes()) as board:
        async with options.client() as client:
            return await Batch(client, recognition, board, output, concurrency).run(files)


def parse_formats(given: Sequence[str]) -> list[TranscriptFormat]:
    """The formats of `--format` options, each possibly a comma list, without repetitions.

    Raises:
        typer.BadParameter: One is no format.
    """
    names = [name.strip().lower() for item in given for name in item.split(",") if name.strip()]
    try:
        return list(dict.fromkeys(TranscriptFormat(name) for name in names)) or [TranscriptFormat.TXT]
    except ValueError:
        known = ", ".join(TranscriptFormat)
        raise typer.BadParameter(f"{given} is not made of {known}", param_hint="--format") from None


def _output(files: Sequence[Recording], formats: Sequence[TranscriptFormat], folder: Path | None) -> Output:
    if folder is not None:
        try:
            return FolderOutput(folder, formats, output_names(files))
        except OutputClash as clash:
            raise typer.BadParameter(str(clash), param_hint="FILES") from None
    if len(formats) > 1 or (len(files) > 1 and formats != [TranscriptFormat.TXT]):
        raise typer.BadParameter(
            "several formats, or several files that are not txt, need a folder", param_hint="--output-dir"
        )
    return StdoutOutput(results(), formats[0], files)
