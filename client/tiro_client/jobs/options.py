"""What a job may be told besides what recordings and live streams have in common."""

import enum
from dataclasses import dataclass
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from tiro.transcription.v1.transcription_pb2 import Transcription, TranscriptionOptions


class Lane(enum.StrEnum):
    """Which jobs go first."""

    INTERACTIVE = "interactive"
    """Somebody waits for it."""
    STANDARD = "standard"
    DEFERRED = "deferred"
    """When there is nothing else to do."""


_LANES = {
    Lane.INTERACTIVE: Transcription.LANE_INTERACTIVE,
    Lane.STANDARD: Transcription.LANE_STANDARD,
    Lane.DEFERRED: Transcription.LANE_DEFERRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """How a recording is transcribed, in which order, and how long it is kept."""

    start_seconds: float = 0.0
    """Where to begin in the recording. Times in the transcript are those of the whole."""
    end_seconds: float | None = None
    """Where to end. None goes to the end."""
    initial_prompt: str = ""
    """Text that could have come before: it shows names, spelling and style. At most 800 characters."""
    temperature: float | None = None
    """How freely the engine chooses, 0 to 1. None begins with 0 and rises where the result is doubtful."""
    beam_size: int = 0
    """Readings followed at once, 1 to 10. 0 is the engine's default."""
    voice_activity_filter: bool = True
    """Leave out what voice activity detection holds for no speech."""
    translate: bool = False
    """Write English, whatever is spoken. Not every model can."""
    multilingual: bool = False
    """The language changes within the recording. Not together with a language."""
    separate_channels: bool = False
    """Transcribe each channel for itself, for calls with one speaker a channel. Segments name their channel."""
    lane: Lane = Lane.STANDARD
    ttl: timedelta | None = None
    """How long the job is kept after its end. None leaves that to the deployment."""
    audio_ttl: timedelta | None = None
    """How long its recording is kept after its end. None leaves that to the deployment."""

    callback: str = ""
    """Where the job is posted to once it is over; see docs/jobs.md. Not every deployment does."""

    def write_to(self, transcription: Transcription) -> None:
        """Put the options into the message that creates a job."""
        transcription.lane = _LANES[self.lane]
        if self.ttl is not None:
            transcription.ttl.FromTimedelta(self.ttl)
        if self.audio_ttl is not None:
            transcription.audio_ttl.FromTimedelta(self.audio_ttl)
        if self.callback:
            transcription.callback.uri = self.callback
        options = TranscriptionOptions(
            initial_prompt=self.initial_prompt,
            temperature=self.temperature,
            beam_size=self.beam_size,
            disable_voice_activity_filter=not self.voice_activity_filter,
            translate_to_english=self.translate,
            multilingual=self.multilingual,
            separate_channels=self.separate_channels,
        )
        if self.start_seconds:
            options.audio_start.CopyFrom(_duration(self.start_seconds))
        if self.end_seconds is not None:
            options.audio_end.CopyFrom(_duration(self.end_seconds))
        if options.ByteSize():
            transcription.options.CopyFrom(options)


def _duration(seconds: float) -> Duration:
    length = Duration()
    length.FromTimedelta(timedelta(seconds=seconds))
    return length
