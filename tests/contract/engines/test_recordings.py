"""The contract of an engine for windows of a recording."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from tiro_engines.interface import (
    Cancelled,
    Engine,
    RecognitionOptions,
    Samples,
    Segment,
    UnsupportedLanguage,
    Window,
    WindowResult,
)
from tiro_engines.registry import installed_engines

ENGLISH = RecognitionOptions(language="en")


def transcribe(
    engine: Engine, samples: Samples, *, offset: int = 0, options: RecognitionOptions = ENGLISH
) -> tuple[list[Segment], WindowResult]:
    """Transcribe a window, without cancelling."""
    segments: list[Segment] = []
    result = engine.transcribe(Window(samples, offset), options, segments.append, threading.Event())
    return segments, result


def text_of(segments: list[Segment]) -> str:
    """Join the texts of segments."""
    return " ".join(segment.text for segment in segments)


def test_recognizes_the_words(
    engine: Engine, speech: Samples, error_rate: Callable[[str], float], error_rate_max: float
) -> None:
    """The word error rate is within the engine's bound."""
    segments, _ = transcribe(engine, speech)
    assert error_rate(text_of(segments)) <= error_rate_max


def test_reports_the_language(engine: Engine, speech: Samples) -> None:
    """The result of a window with speech has its language and a probability."""
    segments, result = transcribe(engine, speech)
    assert result.language is not None
    assert result.language.code == "en"
    assert 0 < result.language.probability <= 1
    assert {segment.language for segment in segments} == {"en"}


def test_positions_are_absolute(engine: Engine, speech: Samples) -> None:
    """The same window at a later offset gives the same segments, later by that offset."""
    near, _ = transcribe(engine, speech)
    far, _ = transcribe(engine, speech, offset=1_000_000)
    assert text_of(far) == text_of(near)
    assert [(s.start - 1_000_000, s.end - 1_000_000) for s in far] == [(s.start, s.end) for s in near]


def test_segments_are_ordered_and_inside_the_window(engine: Engine, speech: Samples) -> None:
    """Segments follow each other without overlap, and their words lie in them in order."""
    offset = 480_000
    segments, _ = transcribe(engine, speech, offset=offset)
    assert segments[0].start >= offset
    assert segments[-1].end <= offset + len(speech)
    assert all(first.end <= second.start for first, second in pairwise(segments))
    for segment in segments:
        assert segment.words
        assert segment.start <= segment.words[0].start
        assert segment.words[-1].end <= segment.end
        assert all(first.end <= second.start for first, second in pairwise(segment.words))
        assert all(word.start < word.end and 0 <= word.probability <= 1 for word in segment.words)
        assert [word.text for word in segment.words] == segment.text.split()


def test_words_are_left_out_without_word_timestamps(engine: Engine, speech: Samples) -> None:
    """Without word timestamps a segment has its text and no words."""
    segments, _ = transcribe(engine, speech, options=RecognitionOptions("en", word_timestamps=False))
    assert text_of(segments)
    assert all(segment.words == () for segment in segments)


@pytest.mark.parametrize("samples", [0, 1, 800, 160_000])
def test_silence_gives_no_segments(engine: Engine, samples: int) -> None:
    """A window of zeros, of any length, gives no segment and no language."""
    assert transcribe(engine, np.zeros(samples, dtype=np.float32)) == ([], WindowResult(None))


def test_noise_gives_no_segments(engine: Engine) -> None:
    """White noise at -40 dB gives no segment."""
    noise = np.random.default_rng(1).normal(0, 0.01, 160_000).astype(np.float32)
    assert transcribe(engine, noise) == ([], WindowResult(None))


def test_a_cancelled_window_gives_no_segments(engine: Engine, speech: Samples) -> None:
    """A window that was cancelled before its start raises Cancelled."""
    cancelled = threading.Event()
    cancelled.set()
    segments: list[Segment] = []
    with pytest.raises(Cancelled):
        engine.transcribe(Window(speech, 0), ENGLISH, segments.append, cancelled)
    assert segments == []


def test_stops_at_the_next_segment_when_cancelled(engine: Engine, speech: Samples) -> None:
    """Cancelling while a segment is emitted ends the window: no further segment is emitted."""
    cancelled = threading.Event()
    segments: list[Segment] = []

    def emit(segment: Segment) -> None:
        segments.append(segment)
        cancelled.set()

    with pytest.raises(Cancelled):
        engine.transcribe(Window(speech, 0), ENGLISH, emit, cancelled)
    assert len(segments) == 1


def test_serves_several_threads_at_once(engine: Engine, speech: Samples) -> None:
    """Windows that are transcribed in parallel give the same result as one alone."""
    alone = transcribe(engine, speech)
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda _: transcribe(engine, speech), range(3)))
    assert together == [alone] * 3


def test_a_language_outside_the_capabilities_is_refused(engine: Engine, speech: Samples) -> None:
    """Such a language raises UnsupportedLanguage; the engine does not take another one."""
    assert "xx" not in engine.capabilities.languages
    with pytest.raises(UnsupportedLanguage, match="xx"):
        transcribe(engine, speech, options=RecognitionOptions("xx"))


def test_the_model_is_identified(engine: Engine) -> None:
    """An engine reports its model and digest. Its name is that of its entry point."""
    model = engine.model
    assert model.engine in installed_engines()
    assert model.model
    assert model.digest.startswith("sha256:")
