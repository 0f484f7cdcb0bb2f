"""Transcripts: segments and words. Times are seconds from the start of the recording or session, as floats."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from tiro.speech.v1 import transcript_pb2
from tiro_client.timing import seconds_of


@dataclass(frozen=True, slots=True)
class Word:
    """One word, with its punctuation."""

    text: str
    start_seconds: float
    end_seconds: float
    confidence: float | None = None
    """The engine's probability of the word, 0 to 1. None where the engine gives none."""
    stable: bool = True
    """In a partial: whether the word is unlikely to change."""

    @classmethod
    def from_proto(cls, word: transcript_pb2.Word) -> Self:
        """The word of a message."""
        confidence = word.confidence if word.HasField("confidence") else None
        return cls(word.text, seconds_of(word.start_offset), seconds_of(word.end_offset), confidence, word.stable)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech."""

    text: str
    start_seconds: float
    end_seconds: float
    words: tuple[Word, ...] = ()
    """Empty where there are no word timestamps."""
    language: str = ""
    """The requested tag, or else the detected language, an ISO 639 code."""
    channel: int = 0
    """The audio channel, counted from 1. 0 where the channels were mixed."""

    @classmethod
    def from_proto(cls, segment: transcript_pb2.Segment) -> Self:
        """The segment of a message."""
        return cls(
            text=segment.text,
            start_seconds=seconds_of(segment.start_offset),
            end_seconds=seconds_of(segment.end_offset),
            words=tuple(Word.from_proto(word) for word in segment.words),
            language=segment.language_code,
            channel=segment.channel,
        )


@dataclass(frozen=True, slots=True)
class TranscriptWarning:
    """A reason to review a transcript."""

    reason: str
    """For programs, such as `DAMAGED_AUDIO`."""
    message: str
    """For people."""

    @classmethod
    def from_proto(cls, warning: transcript_pb2.Warning) -> Self:
        """The warning of a message."""
        return cls(_reason(warning.reason), warning.message)


@dataclass(frozen=True, slots=True)
class TranscriptInfo:
    """The metadata of a transcript."""

    engine: str
    model: str
    model_digest: str
    """`sha256:<hex>` of the weights."""
    language: str
    """The requested tag, or else the detected language. Empty when there was no speech to detect it from."""
    language_confidence: float | None
    """The probability of the detected language, 0 to 1. None when the caller gave the language."""
    audio_seconds: float
    segment_count: int
    warnings: tuple[TranscriptWarning, ...]

    @classmethod
    def from_proto(cls, transcript: transcript_pb2.Transcript) -> Self:
        """The metadata of a message."""
        detected = transcript.HasField("language_confidence")
        return cls(
            engine=transcript.engine,
            model=transcript.model,
            model_digest=transcript.model_digest,
            language=transcript.language_code,
            language_confidence=transcript.language_confidence if detected else None,
            audio_seconds=seconds_of(transcript.audio_duration),
            segment_count=transcript.segment_count,
            warnings=tuple(TranscriptWarning.from_proto(item) for item in transcript.warnings),
        )


@dataclass(frozen=True, slots=True)
class Transcript:
    """The speech of a recording as text."""

    segments: tuple[Segment, ...]
    info: TranscriptInfo

    @property
    def text(self) -> str:
        """The text as one paragraph."""
        return " ".join(segment.text for segment in self.segments)

    @classmethod
    def from_proto(cls, transcript: transcript_pb2.Transcript, segments: Iterable[transcript_pb2.Segment]) -> Self:
        """The transcript of messages."""
        return cls(tuple(Segment.from_proto(segment) for segment in segments), TranscriptInfo.from_proto(transcript))


def _reason(value: int) -> str:
    known = transcript_pb2.WarningReason.DESCRIPTOR.values_by_number.get(value)
    # A newer service may give reasons that this client does not know.
    return known.name.removeprefix("WARNING_REASON_") if known else str(value)
