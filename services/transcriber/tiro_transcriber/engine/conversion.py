"""Converting between the contract's messages and the engine's objects, which have samples instead of times."""

from typing import TypeAlias

from tiro.speech.v1 import transcript_pb2
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro_core.clock import duration_of
from tiro_core.routing.language_tags import closest_language
from tiro_engines.interface import SAMPLE_RATE, DroppedText, EngineWarning, RecognitionOptions, Segment, Word

_Timed: TypeAlias = transcript_pb2.Segment | transcript_pb2.Word | transcript_pb2.Warning


def recognition_options(config: RecognitionConfig, languages: frozenset[str]) -> RecognitionOptions:
    """The engine's options of recognition, which recordings and live sessions share.

    Args:
        config: The config of the request.
        languages: The engine's languages. A tag that means none of them is passed on, for the engine to refuse.
    """
    tag = config.language_code
    candidates = frozenset(closest_language(one, languages) or one for one in config.candidate_language_codes)
    only = next(iter(candidates)) if len(candidates) == 1 else None
    return RecognitionOptions(
        language=closest_language(tag, languages) or tag or only,
        candidates=candidates if only is None else frozenset(),
        hotwords=tuple(config.hotwords),
        word_timestamps=config.enable_word_time_offsets,
        region=config.region,
    )


def to_proto(segment: Segment, config: RecognitionConfig, *, channel: int = 0) -> transcript_pb2.Segment:
    """The contract's message of a segment.

    Args:
        segment: The engine's segment.
        config: The config of the request: the language that it names, and whether it asks for words.
        channel: The channel, from 1. 0: all channels mixed.
    """
    return transcript_pb2.Segment(
        text=segment.text,
        start_offset=duration_of(segment.start, SAMPLE_RATE),
        end_offset=duration_of(segment.end, SAMPLE_RATE),
        words=[_word(word) for word in segment.words] if config.enable_word_time_offsets else [],
        language_code=tag_of(config, segment.language),
        channel=channel,
    )


def tag_of(config: RecognitionConfig, language: str) -> str:
    """The tag of an engine's language: the one by which the request means it, where there is one.

    A translation, for example, is in a language that the request does not name.
    """
    asked = (config.language_code, *config.candidate_language_codes)
    return next((tag for tag in asked if language and closest_language(tag, frozenset((language,)))), language)


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
