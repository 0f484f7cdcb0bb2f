"""From the engine's samples to the contract's times."""

from typing import TypeAlias

from google.protobuf.duration_pb2 import Duration

from tiro.speech.v1 import transcript_pb2
from tiro_core.clock import duration_of
from tiro_engines.interface import SAMPLE_RATE, DroppedText, Segment, Word

_Span: TypeAlias = transcript_pb2.Segment | transcript_pb2.Word | transcript_pb2.Warning


def to_proto(segment: Segment, *, with_words: bool, channel: int = 0) -> transcript_pb2.Segment:
    """The segment of the contract. `channel` counts from 1; 0 where channels were mixed."""
    return transcript_pb2.Segment(
        text=segment.text,
        start_offset=duration_of(segment.start, SAMPLE_RATE),
        end_offset=duration_of(segment.end, SAMPLE_RATE),
        words=[_word(word) for word in segment.words] if with_words else [],
        language_code=segment.language,
        channel=channel,
    )


def dropped_to_proto(dropped: DroppedText) -> transcript_pb2.Warning:
    """The warning about a text that was left out."""
    return transcript_pb2.Warning(
        reason=transcript_pb2.WARNING_REASON_TEXT_DROPPED,
        message=f"{dropped.text!r} was left out, because no speech seems to be behind it: {dropped.reason}",
        start_offset=duration_of(dropped.start, SAMPLE_RATE),
        end_offset=duration_of(dropped.end, SAMPLE_RATE),
    )


def shift(span: _Span, samples: int) -> None:
    """Move times in a part of a recording to those in the whole, by a number of samples."""
    by = duration_of(samples, SAMPLE_RATE).ToNanoseconds()
    moments: tuple[Duration, Duration] = (span.start_offset, span.end_offset)
    for moment in moments:
        moment.FromNanoseconds(moment.ToNanoseconds() + by)


def _word(word: Word) -> transcript_pb2.Word:
    return transcript_pb2.Word(
        text=word.text,
        start_offset=duration_of(word.start, SAMPLE_RATE),
        end_offset=duration_of(word.end, SAMPLE_RATE),
        confidence=word.probability,
        stable=word.stable,
    )
