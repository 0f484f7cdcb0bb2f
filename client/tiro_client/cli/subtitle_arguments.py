"""The options of subtitles, for every command that writes them."""

from dataclasses import dataclass
from typing import Annotated

import typer

from tiro_client.jobs.subtitle_options import SubtitleOptions
from tiro_formats.cues import CUE_LINES_MAX, LINE_COLUMNS_MAX, READING_SPEED
from tiro_formats.registry import WRITERS

_SUBTITLES = ", ".join(name for name, writer in WRITERS.items() if writer.uses_cues)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubtitleArguments:
    """Options of a command."""

    line_columns: Annotated[int, typer.Option(min=10, max=200, help=f"{_SUBTITLES}: columns per line.")] = (
        LINE_COLUMNS_MAX
    )
    cue_lines: Annotated[int, typer.Option(min=1, max=5, help=f"{_SUBTITLES}: lines per cue.")] = CUE_LINES_MAX
    reading_speed: Annotated[int, typer.Option(min=5, max=100, help=f"{_SUBTITLES}: characters per second.")] = (
        READING_SPEED
    )

    def options(self) -> SubtitleOptions:
        """The options for the client."""
        return SubtitleOptions(self.line_columns, self.cue_lines, self.reading_speed)
