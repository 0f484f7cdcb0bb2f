"""Converting between the contract's messages and the engine's objects, which have samples instead of times."""

from typing import TypeAlias

from tiro.speech.v1 import transcript_pb2
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro_core.clock import duration_of
from tiro_engines.interface import SAMPLE_RATE, DroppedText, EngineWarning, RecognitionOptions, Segment, Word

_Timed: TypeAlias = transcript_pb2.Segment | transcript_pb2.Word | transcript_pb2.Warning


def recognition_options(config: RecognitionConfig) -> RecognitionOptions:
    """The engine's options of recognition, which recordings and live sessions share."""
    return RecognitionOptions(
        language=config.language_code or None,
        hotwords=tuple(config.hotwords),
        word_timestamps=config.enable_word_time_offsets,
        region=config.region,
    )


def to_proto(segment: Segment, *, with_words: bool, channel: int = 0) -> transcript_pb2.Segment:
    """The contract's message of a segment. `channel` counts from 1; 0 where channels were mixed."""
    return transcript_pb2.Segment(
        text=segment.text,
        start_offset=duration_of(segment.start, SAMPLE_RATE),
        end_offset=duration_of(segment.end, SAMPLE_RATE),
        words=[_word(word) for word in segment.words] if with_words else [],
        language_code=segment.language,
        channel=channel,
    )


def dropped_to_proto(dropped: DroppedText) -> transcript_pb2.Warning:
    """The warning about a text that was dropped."""
    return transcript_pb2.Warning(
        reason=transcript_pb2.WARNING_REASON_TEXT_DROPPED,
        message=f"{dropped.text!r} was dropped, because there seems to be no speech behind it: {dropped.reason}",
        start_offset=duration_of(dropped.start, SAMPLE_RATE),
        end_offset=duration_of(dropped.end, SAMPLE_RATE),
    )


def warning_to_proto(warning: EngineWarning) -> transcript_pb2.Warning:
    """The contract's message of an engine's warning."""
    return transcript_pb2.Warning(reason=warning.reason, message=warning.message)


def from_proto(segment: transcript_pb2.Segment, offset: int) -> Segment:
    """The segment of a message that `to_proto` has made for a part of a recording.

    Args:
        segment: The message, with times in the part.
        offset: The position of the part in the recording, in samples.

    Returns:
        The segment, with times in the recording.
    """
    start, end = _samples(segment, offset)
    words = tuple(
        Word(word.text, *_samples(word, offset), probability=word.confidence, stable=word.stable)
        for word in segment.words
    )
    return Segment(segment.text, start, end, words, segment.language_code)


def shift(warning: transcript_pb2.Warning, offset: int) -> None:
    """Change the times of a warning from those in a part of a recording to those in the recording.

    Args:
        warning: The warning.
        offset: The position of the part in the recording, in samples.
    """
    start, end = _samples(warning, offset)
    warning.start_offset.CopyFrom(duration_of(start, SAMPLE_RATE))
    warning.end_offset.CopyFrom(duration_of(end, SAMPLE_RATE))


def _word(word: Word) -> transcript_pb2.Word:
    return transcript_pb2.Word(
        text=word.text,
        start_offset=duration_of(word.start, SAMPLE_RATE),
        end_offset=duration_of(word.end, SAMPLE_RATE),
        confidence=word.probability,
        stable=word.stable,
    )


def _samples(timed: _Timed, offset: int) -> tuple[int, int]:
    start, end = timed.start_offset.ToNanoseconds(), timed.end_offset.ToNanoseconds()
    return offset + round(start * SAMPLE_RATE / 1e9), offset + round(end * SAMPLE_RATE / 1e9)
