"""faster-whisper's long form: windows of 30 s, decoded again with a higher temperature where the text is unreliable."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tiro_engines.faster_whisper.generated import Generated
from tiro_engines.interface import (
    SAMPLE_RATE,
    DetectedLanguage,
    RecognitionOptions,
    Segment,
    Window,
    Word,
)

BEAM_SIZE = 5
ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class LongForm:
    """The segments of a window, decoded on demand."""

    language: DetectedLanguage | None
    """The language. None when there is no speech; then there are no segments either."""
    segments: Iterator[tuple[Segment, Generated]]
    """The segments, in the order of time, without overlap."""


def decode_long_form(whisper: Any, window: Window, options: RecognitionOptions, *, filter_silence: bool) -> LongForm:
    """Decode a window with any options. Segments are decoded while they are iterated over."""
    decoding = options.decoding
    temperature = {} if decoding.temperature is None else {"temperature": decoding.temperature}
    found, info = whisper.transcribe(
        window.samples,
        language=options.language,
        task="translate" if decoding.translate else "transcribe",
        beam_size=decoding.beam_size or BEAM_SIZE,
        initial_prompt=decoding.initial_prompt or None,
        word_timestamps=options.word_timestamps,
        hotwords=" ".join(options.hotwords) or None,
        condition_on_previous_text=False,  # one hallucinated or repeated sentence would affect all that follow
        vad_filter=filter_silence,
        **temperature,
    )
    if info.duration_after_vad == 0:
        return LongForm(None, iter(()))
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
        return min(max(window.offset + round(seconds * SAMPLE_RATE), after), latest)

    start = sample_at(segment.start, earliest)
    end = sample_at(segment.end, start)
    words: list[Word] = []
    for word in segment.words or ():
        begin = sample_at(word.start, words[-1].end if words else start)
        words.append(Word(word.word.strip(), begin, sample_at(word.end, begin), float(word.probability)))
    return Segment(text, start, max(end, words[-1].end) if words else end, tuple(words), language)
