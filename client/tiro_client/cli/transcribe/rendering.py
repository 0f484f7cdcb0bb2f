"""The text of a transcript in a format: as the service writes it, or as this command does."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from tiro_client.cli.console import clock
from tiro_client.cli.jobs.plain_data import segment_to_dict
from tiro_client.cli.transcribe.recordings import Recording, displayed
from tiro_client.client import AsyncClient
from tiro_client.jobs.job import Job
from tiro_client.jobs.subtitle_options import SubtitleOptions
from tiro_client.transcript import Segment, Transcript
from tiro_formats.writer import TextFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """How transcripts are written."""

    subtitles: SubtitleOptions = field(default_factory=SubtitleOptions)
    timestamps: bool = False
    """Whether the lines of plain text begin with their times."""
    json_lines: bool = False
    """Whether each recording is one line of JSON, instead of any format."""

    async def text(self, client: AsyncClient, recording: Recording, job: Job, name: TextFormat) -> str:
        """The transcript of a job that has succeeded."""
        if self.json_lines:
            return json_line(recording, job, await client.get_transcript(job))
        if self.timestamps and name == "txt":
            return "".join(self.line(segment) for segment in (await client.get_transcript(job)).segments)
        return await client.get_transcript(job, format=name, subtitles=self.subtitles)

    def line(self, segment: Segment) -> str:
        """A segment as a line of plain text."""
        times = f"[{clock(segment.start_seconds)} - {clock(segment.end_seconds)}] " if self.timestamps else ""
        label = f"[Channel {segment.channel}] " if segment.channel else ""
        return f"{times}{label}{' '.join(segment.text.split())}\n"


def json_line(recording: Recording, job: Job, transcript: Transcript) -> str:
    """A recording, its job and its transcript as one line of JSON. Times are seconds."""
    value: dict[str, Any] = {
        "file": displayed(recording),
        "job": job.name,
        **asdict(transcript.info),
        "text": transcript.text,
        "segments": [segment_to_dict(segment) for segment in transcript.segments],
    }
    return json.dumps(value, ensure_ascii=False) + "\n"
