"""The options of `tiro transcribe` for what is written, and where."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from tiro_client.cli.console import results
from tiro_client.cli.transcribe.output import FileOutput, FolderOutput, Output, StdoutOutput
from tiro_client.cli.transcribe.recordings import OutputClash, Recording, output_names
from tiro_formats.registry import WRITERS, writer_named
from tiro_formats.writer import TextFormat

FORMAT_DEFAULT: TextFormat = "txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputArguments:
    """Options of a command."""

    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            "-f",
            help=f"Output format: {', '.join(WRITERS)}. Can be repeated, or a list with commas.",
            show_default=f"{FORMAT_DEFAULT}, or that of the suffix of --output",
        ),
    ] = None
    output: Annotated[
        Path | None, typer.Option("--output", help="File to write, for one recording. Default: stdout.")
    ] = None
    output_dir: Annotated[
        Path | None,
        typer.Option("--output-dir", "-o", help="Folder for files NAME.FORMAT; created if missing."),
    ] = None
    timestamps: Annotated[bool, typer.Option("--timestamps", help="Begin each line of plain text with its times.")] = (
        False
    )
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON for each recording: text, segments, words in seconds.")
    ] = False
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print no progress and no notes to stderr, only errors.")
    ] = False

    def destination(self, recordings: Sequence[Recording]) -> Output:
        """Where the transcripts of these recordings go.

        Raises:
            typer.BadParameter: Options contradict each other, or the recordings.
        """
        formats = self._formats()
        if self.timestamps and (self.as_json or "txt" not in formats):
            raise typer.BadParameter("it is for plain text (txt)", param_hint="--timestamps")
        if self.output_dir is not None:
            return self._folder(self.output_dir, formats, recordings)
        if self.output is not None:
            if len(recordings) > 1 or len(formats) > 1:
                raise typer.BadParameter(
                    "it takes one recording in one format: use --output-dir for several", param_hint="--output"
                )
            if self.output.is_dir() or not self.output.parent.is_dir():
                raise typer.BadParameter(f"{self.output} cannot be written: no such folder", param_hint="--output")
            return FileOutput(self.output, formats[0])
        if len(formats) > 1 or (len(recordings) > 1 and formats != [FORMAT_DEFAULT] and not self.as_json):
            raise typer.BadParameter(
                f"several formats, or several files in another format than {FORMAT_DEFAULT}, need a folder",
                param_hint="--output-dir",
            )
        return StdoutOutput(results(), formats[0], recordings, headings=len(recordings) > 1 and not self.as_json)

    def _formats(self) -> list[TextFormat]:
        if self.as_json:
            if self.formats or self.output_dir is not None:
                raise typer.BadParameter(
                    "it goes to stdout or to --output; for files use --format json", param_hint="--json"
                )
            return ["json"]
        if self.formats is None and self.output is not None:
            suffix = self.output.suffix.lower()
            return [next((name for name, writer in WRITERS.items() if writer.file_suffix == suffix), FORMAT_DEFAULT)]
        return parse_formats(self.formats or [])

    def _folder(self, folder: Path, formats: Sequence[TextFormat], recordings: Sequence[Recording]) -> FolderOutput:
        if self.output is not None:
            raise typer.BadParameter("use --output or --output-dir, not both", param_hint="--output")
        if folder.exists() and not folder.is_dir():
            raise typer.BadParameter(f"{folder} is a file, not a folder", param_hint="--output-dir")
        try:
            return FolderOutput(folder, formats, output_names(recordings))
        except OutputClash as clash:
            raise typer.BadParameter(str(clash), param_hint="FILES") from None


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
