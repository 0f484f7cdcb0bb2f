"""Detection, transcription and translation of a language other than English, with the real `base`."""

import threading
from collections.abc import Iterator

import jiwer
import pytest
from whisper_normalizer.basic import BasicTextNormalizer

from benchmarks.shared.decoded import decoded
from deploy.local.stack import MODELS, ROOT
from tiro_engines.interface import (
    DecodingOptions,
    Engine,
    EngineSettings,
    RecognitionOptions,
    Samples,
    Segment,
    Window,
    WindowResult,
)
from tiro_engines.registry import find_engine

ERROR_RATE_MAX = 0.1

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


def test_speech_is_translated_to_english(engine: Engine, spanish: Samples) -> None:
    """A translation is in English, and the result has the spoken language."""
    options = RecognitionOptions(decoding=DecodingOptions(translate=True))
    segments, result = transcribe(engine, spanish, options)
    text = " ".join(segment.text for segment in segments).lower()
    assert {"good", "morning", "today", "talk"} <= set(text.replace(",", " ").replace(".", " ").split())
    assert {segment.language for segment in segments} == {"en"}
    assert result.language is not None
    assert result.language.code == "es"
