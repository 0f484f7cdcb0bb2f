"""The options of `tiro transcribe` that live speech does not have."""

from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from tiro_client.jobs.job_options import JobOptions, Lane

OFFSET_SECONDS_MAX = 365 * 24 * 3600.0
"""An offset in a recording beyond this is a slip of the fingers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobArguments:
    """Options of a command. The fields are named as those of `tiro_client.JobOptions`."""

    start_seconds: Annotated[
        float,
        typer.Option(
            "--start", min=0, max=OFFSET_SECONDS_MAX, help="Offset in each recording at which to begin, in seconds."
        ),
    ] = 0.0
    end_seconds: Annotated[
        float | None,
        typer.Option(
            "--end",
            min=0,
            max=OFFSET_SECONDS_MAX,
            help="Offset in each recording at which to end, in seconds. Default: its end.",
        ),
    ] = None
    initial_prompt: Annotated[
        str,
        typer.Option("--prompt", help="Text as if it preceded the recording: an example of names, spelling and style."),
    ] = ""
    translate: Annotated[bool, typer.Option("--translate", help="Translate to English.")] = False
    multilingual: Annotated[bool, typer.Option("--multilingual", help="The language changes within a recording.")] = (
        False
    )
    separate_channels: Annotated[
        bool,
        typer.Option(
            "--separate-channels",
            help="Transcribe each audio channel separately, for calls with one speaker per channel.",
        ),
    ] = False
    audio_track: Annotated[
        int,
        typer.Option(
            "--audio-track",
            min=0,
            help="Sound track of a film with several, counted from 1. 0: the default track, or the one with speech.",
        ),
    ] = 0
    callback: Annotated[
        str, typer.Option("--callback", help="URL that receives a POST request when a job has ended.")
    ] = ""
    lane: Annotated[
        Lane,
        typer.Option("--lane", help="Priority: interactive before standard before deferred."),
    ] = Lane.INTERACTIVE

    def job_options(self) -> JobOptions:
        """The options for the client."""
        return JobOptions(**asdict(self))
