"""The options of a job that live streams do not have."""

import enum
from dataclasses import dataclass
from datetime import timedelta

from tiro.transcription.v1.transcription_pb2 import Transcription, TranscriptionOptions
from tiro_client.timing import duration_of


class Lane(enum.StrEnum):
    """The priority class of a job."""

    INTERACTIVE = "interactive"
    """Before all others: a person is waiting for the result."""
    STANDARD = "standard"
    DEFERRED = "deferred"
    """After all others: when workers would be idle."""


_LANES = {
    Lane.INTERACTIVE: Transcription.LANE_INTERACTIVE,
    Lane.STANDARD: Transcription.LANE_STANDARD,
    Lane.DEFERRED: Transcription.LANE_DEFERRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """How a recording is transcribed, with which priority, and how long the job is kept."""

    start_seconds: float = 0.0
    """Offset at which transcription begins. Times in the transcript count from the start of the recording."""
    end_seconds: float | None = None
    """Offset at which transcription ends. None: the end of the recording."""
    initial_prompt: str = ""
    """Text as if it preceded the recording, at most 800 characters: an example of names, spelling and style."""
    temperature: float | None = None
    """Sampling temperature, 0 to 1. None: 0, raised for a passage where the result is unreliable."""
    beam_size: int = 0
    """Hypotheses of the beam search, 1 to 10. 0: the engine's default."""
    voice_activity_filter: bool = True
    """Whether audio that voice activity detection classifies as no speech is left out."""
    translate: bool = False
    """Translate to English. Not every model can."""
    multilingual: bool = False
    """The language changes within the recording. Cannot be combined with a language."""
    separate_channels: bool = False
    """Transcribe each audio channel separately, for calls with one speaker per channel. Segments have their channel."""
    audio_track: int = 0
    """The sound track of a recording that has several, counted from 1. 0: the default track, or the one with speech."""
    lane: Lane = Lane.STANDARD
    ttl: timedelta | None = None
    """How long the job is kept after its end. None: the deployment's default."""
    audio_ttl: timedelta | None = None
    """How long its recording is kept after its end. None: the deployment's default."""
    callback: str = ""
    """URL that receives a POST request once the job has ended; see docs/jobs.md. Not every deployment allows it."""

    def write_to(self, transcription: Transcription) -> None:
        """Write the options into the message that creates a job."""
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
            audio_track=self.audio_track,
        )
        if self.start_seconds:
            options.audio_start.CopyFrom(duration_of(self.start_seconds))
        if self.end_seconds is not None:
            options.audio_end.CopyFrom(duration_of(self.end_seconds))
        if options.ByteSize():
            transcription.options.CopyFrom(options)
