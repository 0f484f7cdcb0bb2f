"""A transcript as this library gives it. Times are seconds from the start of the recording or session, as floats."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from tiro.speech.v1 import transcript_pb2
from tiro_client.timing import duration_of, seconds_of


@dataclass(frozen=True, slots=True)
class Word:
    """One word, with its punctuation."""

    text: str
    start_seconds: float
    end_seconds: float
    confidence: float | None = None
    """The engine's probability of the word, 0 to 1. None where the engine gives none."""
    stable: bool = True
    """In a partial: whether the word is likely to stay."""

    @classmethod
    def from_proto(cls, word: transcript_pb2.Word) -> Self:
        """The word of a message."""
        confidence = word.confidence if word.HasField("confidence") else None
        return cls(word.text, seconds_of(word.start_offset), seconds_of(word.end_offset), confidence, word.stable)

    def to_proto(self) -> transcript_pb2.Word:
        """The word as a message."""
        return transcript_pb2.Word(
            text=self.text,
            start_offset=duration_of(self.start_seconds),
            end_offset=duration_of(self.end_seconds),
            confidence=self.confidence,
            stable=self.stable,
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech."""

    text: str
    start_seconds: float
    end_seconds: float
    words: tuple[Word, ...] = ()
    """Empty unless word timestamps were asked for."""
    language: str = ""
    """ISO 639 code."""
    channel: int = 0
    """The channel it was heard in, counted from 1. 0 where the channels were mixed."""

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

    def to_proto(self) -> transcript_pb2.Segment:
        """The segment as a message."""
        return transcript_pb2.Segment(
            text=self.text,
            start_offset=duration_of(self.start_seconds),
            end_offset=duration_of(self.end_seconds),
            words=[word.to_proto() for word in self.words],
            language_code=self.language,
            channel=self.channel,
        )


@dataclass(frozen=True, slots=True)
class TranscriptWarning:
    """Why a transcript deserves a second look."""

    reason: str
    """For programs, as in `DAMAGED_AUDIO`."""
    message: str
    """For people."""


@dataclass(frozen=True, slots=True)
class TranscriptInfo:
    """What is known of a transcript besides its segments."""

    engine: str
    model: str
    model_digest: str
    """`sha256:<hex>` of the weights."""
    language: str
    """ISO 639 code. Empty when there was no speech to detect it from."""
    language_confidence: float | None
    """The probability of the detected language, 0 to 1. None when the language was asked for."""
    audio_seconds: float
    segment_count: int
    warnings: tuple[TranscriptWarning, ...]

    @classmethod
    def from_proto(cls, transcript: transcript_pb2.Transcript) -> Self:
        """What a message says."""
        detected = transcript.HasField("language_confidence")
        return cls(
            engine=transcript.engine,
            model=transcript.model,
            model_digest=transcript.model_digest,
            language=transcript.language_code,
            language_confidence=transcript.language_confidence if detected else None,
            audio_seconds=seconds_of(transcript.audio_duration),
            segment_count=transcript.segment_count,
            warnings=tuple(TranscriptWarning(_reason(item.reason), item.message) for item in transcript.warnings),
        )

    def to_proto(self) -> transcript_pb2.Transcript:
        """It as a message."""
        return transcript_pb2.Transcript(
            engine=self.engine,
            model=self.model,
            model_digest=self.model_digest,
            language_code=self.language,
            language_confidence=self.language_confidence,
            audio_duration=duration_of(self.audio_seconds),
            segment_count=self.segment_count,
            warnings=[
                transcript_pb2.Warning(reason=_number(item.reason), message=item.message) for item in self.warnings
            ],
        )


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a recording."""

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
    # A later service may know reasons that this client does not.
    return known.name.removeprefix("WARNING_REASON_") if known else str(value)


def _number(reason: str) -> "transcript_pb2.WarningReason.ValueType":
    name = f"WARNING_REASON_{reason}"
    known = name in transcript_pb2.WarningReason.keys()  # noqa: SIM118 - it is no dictionary
    return transcript_pb2.WarningReason.Value(name) if known else transcript_pb2.WARNING_REASON_UNSPECIFIED
