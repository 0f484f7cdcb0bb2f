"""faster-whisper's long form: windows of 30 s, decoded again with a higher temperature where the text is unreliable."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_whisper.transcribe import restore_speech_timestamps

from tiro_engines.faster_whisper.generated import Generated
from tiro_engines.faster_whisper.speech_stretches import SpeechSegment
from tiro_engines.interface import (
    SAMPLE_RATE,
    DetectedLanguage,
    RecognitionOptions,
    Segment,
    Window,
    Word,
)
from tiro_engines.whole_words import placed, whole_words, word_probability

BEAM_SIZE = 5
ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class LongForm:
    """The segments of a window, decoded on demand."""

    language: DetectedLanguage
    segments: Iterator[tuple[Segment, Generated]]
    """The segments, in the order of time, without overlap."""


def decode_long_form(
    whisper: Any, window: Window, options: RecognitionOptions, stretches: Sequence[SpeechSegment] = ()
) -> LongForm:
    """Decode a window with any options. Segments are decoded while they are iterated over.

    Args:
        whisper: The loaded model.
        window: The window.
        options: The options. Their voice activity filter is not applied.
        stretches: The stretches of speech that are decoded, joined, as by faster-whisper's filter. Empty: all samples.
    """
    decoding = options.decoding
    temperature = {} if decoding.temperature is None else {"temperature": decoding.temperature}
    parts = [window.samples[stretch.start : stretch.end] for stretch in stretches] or [window.samples]
    found, info = whisper.transcribe(
        np.concatenate(parts),
        language=options.language,
        task="translate" if decoding.translate else "transcribe",
        beam_size=decoding.beam_size or BEAM_SIZE,
        initial_prompt=decoding.initial_prompt or None,
        word_timestamps=options.word_timestamps,
        hotwords=" ".join(options.hotwords) or None,
        condition_on_previous_text=False,  # one hallucinated or repeated sentence would affect all that follow
        prepend_punctuations="",  # `whole_words` joins
        append_punctuations="",
        **temperature,
    )
    if stretches:
        chunks = [{"start": stretch.start, "end": stretch.end} for stretch in stretches]
        found = restore_speech_timestamps(found, chunks, SAMPLE_RATE)
    language = DetectedLanguage(info.language, float(info.language_probability))
    return LongForm(language, _with_times(found, window, ENGLISH if decoding.translate else info.language))


def _with_times(found: Any, window: Window, language: str) -> Iterator[tuple[Segment, Generated]]:
    """Segments with times in the recording: inside the window, and without overlap."""
    earliest = window.offset
    for segment in found:
        text = segment.text.strip()
        generated = Generated(segment.tokens, text, segment.avg_logprob, segment.no_speech_prob)
        timed = _segment(segment, text, window, earliest, language)
        earliest = timed.end
        yield timed, generated


def _segment(segment: Any, text: str, window: Window, earliest: int, language: str) -> Segment:
    latest = window.offset + len(window.samples)

    def sample_at(seconds: float, after: int) -> int:
        return min(max(_sample(window, seconds), after), latest)

    start = sample_at(segment.start, earliest)
    end = sample_at(segment.end, start)
    words = _words(segment.words or (), window, start, latest, language)
    return Segment(text, start, max(end, words[-1].end) if words else end, words, language)


def _words(pieces: Sequence[Any], window: Window, start: int, end: int, language: str) -> tuple[Word, ...]:
    """The words of a segment that begins at the sample `start`, in a window that ends at `end`."""
    texts = [piece.word for piece in pieces]
    groups = whole_words(texts, language)
    spans = [(_sample(window, pieces[group[0]].start), _sample(window, pieces[group[-1]].end)) for group in groups]
    return tuple(
        Word("".join(texts[i] for i in group).strip(), *span, _probability([pieces[i] for i in group]))
        for group, span in zip(groups, placed(spans, start, end), strict=True)
    )


def _probability(pieces: Sequence[Any]) -> float:
    return word_probability([piece.word for piece in pieces], [float(piece.probability) for piece in pieces])


def _sample(window: Window, seconds: float) -> int:
    return window.offset + round(seconds * SAMPLE_RATE)
