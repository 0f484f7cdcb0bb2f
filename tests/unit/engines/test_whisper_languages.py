"""Detection, transcription and translation of a language other than English, with the real `base`."""

import threading
from collections.abc import Iterator

import jiwer
import numpy as np
import pytest
from whisper_normalizer.basic import BasicTextNormalizer

from benchmarks.shared.decoded import decoded
from deploy.local.stack import MODELS, ROOT
from tiro_engines.interface import (
    SAMPLE_RATE,
    DecodingOptions,
    Engine,
    EngineSettings,
    Final,
    Partial,
    RecognitionOptions,
    Samples,
    Segment,
    SessionOptions,
    SessionUpdate,
    Window,
    WindowResult,
)
from tiro_engines.registry import find_engine

ERROR_RATE_MAX = 0.1
PAUSE_SAMPLES = SAMPLE_RATE * 3 // 2
SHORT_SAMPLES = SAMPLE_RATE * 7 // 10

pytestmark = pytest.mark.xdist_group("whisper languages")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """The engine with `base`, loaded once."""
    loaded = find_engine("faster-whisper").load("base", EngineSettings(models_dir=str(MODELS), device="cpu"))
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def spanish() -> Samples:
    """Ten seconds of Spanish."""
    return decoded(ROOT / "samples" / "spanish.flac")


@pytest.fixture(scope="module")
def english() -> Samples:
    """Four seconds of English."""
    return decoded(ROOT / "samples" / "dictation.wav")[: 4 * SAMPLE_RATE]


def transcribe(engine: Engine, samples: Samples, options: RecognitionOptions) -> tuple[list[Segment], WindowResult]:
    """Transcribe a window at the start of a recording."""
    segments: list[Segment] = []
    result = engine.transcribe(Window(samples, 0), options, segments.append, threading.Event())
    return segments, result


def test_a_language_is_detected_and_transcribed(engine: Engine, spanish: Samples) -> None:
    """Without a language in the options Spanish is detected and transcribed."""
    segments, result = transcribe(engine, spanish, RecognitionOptions())
    assert result.language is not None
    assert result.language.code == "es"
    assert result.language.probability > 0.5
    assert {segment.language for segment in segments} == {"es"}
    normalize = BasicTextNormalizer()
    reference = (ROOT / "samples" / "spanish.txt").read_text(encoding="utf-8")
    text = " ".join(segment.text for segment in segments)
    assert jiwer.wer(normalize(reference), normalize(text)) <= ERROR_RATE_MAX


def live_languages(engine: Engine, *parts: Samples) -> list[tuple[str, str]]:
    """Language and text of each final of a live session that names no language; a pause is between two parts."""
    session = engine.open_session(SessionOptions(interim_results=True), 0)
    updates: list[SessionUpdate] = []
    for part in parts:
        updates += session.advance(np.concatenate((part, np.zeros(PAUSE_SAMPLES, np.float32))))
        updates += session.decode_partial()
    updates += session.finalize()
    session.close()
    return [(one.segment.language, one.segment.text) for one in updates if isinstance(one, Final)]


def test_a_live_session_follows_a_change_of_language(engine: Engine, english: Samples, spanish: Samples) -> None:
    """The first utterance in another language is decoded in it. It is noisy: so it is decoded again, with context."""
    noise = np.random.default_rng(7).normal(0, 0.01, len(spanish)).astype(np.float32)
    finals = live_languages(engine, english, spanish + noise)
    assert list(dict.fromkeys(language for language, _ in finals)) == ["en", "es"]
    assert "historia" in " ".join(text for _, text in finals)
    assert "secretary" in finals[0][1]


def test_a_short_utterance_does_not_change_the_language(engine: Engine, spanish: Samples) -> None:
    """Utterances that are too short to hear a language in are in that of the session."""
    short = [spanish[start : start + SHORT_SAMPLES] for start in range(0, len(spanish) - SHORT_SAMPLES, SHORT_SAMPLES)]
    assert {language for language, _ in live_languages(engine, spanish, *short)} == {"es"}


def test_a_short_beginning_does_not_decide(engine: Engine, english: Samples, spanish: Samples) -> None:
    """The language of a recording is that of its first half a minute of speech, not that of its first word."""
    pause = np.zeros(2 * SAMPLE_RATE, np.float32)
    segments, result = transcribe(
        engine, np.concatenate((english[:SHORT_SAMPLES], pause, spanish)), RecognitionOptions()
    )
    assert result.language is not None
    assert result.language.code == "es"
    assert {segment.language for segment in segments} == {"es"}


@pytest.mark.parametrize("decoding", [DecodingOptions(), DecodingOptions(filter_silence=False)])
def test_a_language_is_detected_among_named_ones(engine: Engine, spanish: Samples, decoding: DecodingOptions) -> None:
    """The likeliest of the candidates is taken, whatever else the speech sounds like."""
    options = RecognitionOptions(candidates=frozenset(("ru", "ja")), decoding=decoding)
    segments, result = transcribe(engine, spanish, options)
    assert result.language is not None
    assert result.language.code == "ja"
    assert {segment.language for segment in segments} == {"ja"}


def test_a_live_language_is_detected_among_named_ones(engine: Engine, spanish: Samples) -> None:
    """The same in a live session, for partials and finals."""
    options = SessionOptions(RecognitionOptions(candidates=frozenset(("ru", "ja"))))
    session = engine.open_session(options, 0)
    updates = [*session.advance(spanish[: 4 * SAMPLE_RATE]), *session.decode_partial(), *session.finalize()]
    session.close()
    heard = {one.segment.language for one in updates if isinstance(one, Final | Partial)}
    assert heard == {"ja"}


def test_speech_is_translated_to_english(engine: Engine, spanish: Samples) -> None:
    """A translation is in English, and the result has the spoken language."""
    options = RecognitionOptions(decoding=DecodingOptions(translate=True))
    segments, result = transcribe(engine, spanish, options)
    text = " ".join(segment.text for segment in segments).lower()
    assert {"good", "morning", "today", "talk"} <= set(text.replace(",", " ").replace(".", " ").split())
    assert {segment.language for segment in segments} == {"en"}
    assert result.language is not None
    assert result.language.code == "es"
