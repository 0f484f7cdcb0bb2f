"""Languages other than English, with the real `base`: heard, written, and translated."""

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
    """Load base once."""
    loaded = find_engine("faster-whisper").load("base", EngineSettings(models_dir=str(MODELS), device="cpu"))
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def spanish() -> Samples:
    """Ten seconds of Spanish."""
    return decoded(ROOT / "samples" / "spanish.flac")


def transcribe(engine: Engine, samples: Samples, options: RecognitionOptions) -> tuple[list[Segment], WindowResult]:
    """Transcribe a window from the beginning."""
    segments: list[Segment] = []
    result = engine.transcribe(Window(samples, 0), options, segments.append, threading.Event())
    return segments, result


def test_a_language_is_heard_and_written(engine: Engine, spanish: Samples) -> None:
    """Where none is named it is detected, and the text is in it."""
    segments, result = transcribe(engine, spanish, RecognitionOptions())
    assert result.language is not None
    assert result.language.code == "es"
    assert result.language.probability > 0.5
    assert {segment.language for segment in segments} == {"es"}
    normalize = BasicTextNormalizer()
    reference = (ROOT / "samples" / "spanish.txt").read_text(encoding="utf-8")
    heard = " ".join(segment.text for segment in segments)
    assert jiwer.wer(normalize(reference), normalize(heard)) <= ERROR_RATE_MAX


def test_it_is_translated(engine: Engine, spanish: Samples) -> None:
    """Into English, with the language that is spoken told all the same."""
    options = RecognitionOptions(decoding=DecodingOptions(translate=True))
    segments, result = transcribe(engine, spanish, options)
    text = " ".join(segment.text for segment in segments).lower()
    assert {"good", "morning", "today", "talk"} <= set(text.replace(",", " ").replace(".", " ").split())
    assert {segment.language for segment in segments} == {"en"}
    assert result.language is not None
    assert result.language.code == "es"
