"""From the engine's samples to the contract's times."""

from tiro.speech.v1 import transcript_pb2
from tiro_core.clock import duration_of
from tiro_transcriber.engines.interface import SAMPLE_RATE, Segment, Word


def to_proto(segment: Segment, *, with_words: bool) -> transcript_pb2.Segment:
    """The segment as callers see it."""
    return transcript_pb2.Segment(
        text=segment.text,
        start_offset=duration_of(segment.start, SAMPLE_RATE),
        end_offset=duration_of(segment.end, SAMPLE_RATE),
        words=[_word(word) for word in segment.words] if with_words else [],
        language_code=segment.language,
    )


def _word(word: Word) -> transcript_pb2.Word:
    return transcript_pb2.Word(
        text=word.text,
        start_offset=duration_of(word.start, SAMPLE_RATE),
        end_offset=duration_of(word.end, SAMPLE_RATE),
        confidence=word.probability,
        stable=word.stable,
    )
