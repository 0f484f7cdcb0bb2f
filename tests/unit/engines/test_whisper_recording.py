"""Ways of decoding a recording with Whisper, with the real tiny.en."""

import threading
import wave
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.utils import get_assets_path

from deploy.local.stack import MODELS, ROOT
from tiro_engines.faster_whisper.long_form import decode_long_form
from tiro_engines.faster_whisper.speech_segments import SEGMENT_SECONDS_MAX, find_speech_segments
from tiro_engines.faster_whisper.speech_stretches import SpeechSegment
from tiro_engines.interface import (
    SAMPLE_RATE,
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
from tiro_engines.windowed.silero import SileroModel, speech_probabilities

OFFSET = 1_000_000
LOOP_SECONDS_MIN = 5
DECODER = "tiro_engines.faster_whisper.segment_decoder"

pytestmark = pytest.mark.xdist_group("whisper recording")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """The engine with tiny.en, loaded once."""
    loaded = find_engine("faster-whisper").load("tiny.en", EngineSettings(models_dir=str(MODELS), device="cpu"))
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def speech() -> Samples:
    """Ten seconds of dictation."""
    with wave.open(str(ROOT / "samples" / "dictation.wav")) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)
    return pcm.astype(np.float32) / np.float32(32768)


def transcribe(engine: Engine, samples: Samples, decoding: DecodingOptions) -> tuple[list[Segment], WindowResult]:
    """Transcribe a window that starts at `OFFSET` in a recording."""
    segments: list[Segment] = []
    options = RecognitionOptions("en", decoding=decoding)
    result = engine.transcribe(Window(samples, OFFSET), options, segments.append, threading.Event())
    return segments, result


def speech_in(samples: Samples) -> list[SpeechSegment]:
    """The speech segments of a recording."""
    silero = SileroModel(Path(get_assets_path()) / "silero_vad_v6.onnx")
    return find_speech_segments(speech_probabilities(silero, samples), len(samples))


def words_of(segments: list[Segment]) -> list[str]:
    """The words of segments, without punctuation."""
    return [word.text.strip(",.?!-").lower() for segment in segments for word in segment.words]


def difference(found: list[str], expected: list[str]) -> float:
    """The share of words that differ, compared as sets."""
    return len(set(found) ^ set(expected)) / len(set(expected))


@pytest.mark.parametrize(
    "decoding",
    [DecodingOptions(filter_silence=False), DecodingOptions(temperature=0.0), DecodingOptions(beam_size=1)],
    ids=["no voice activity filter", "temperature", "greedy"],
)
def test_options_give_the_same_words(engine: Engine, speech: Samples, decoding: DecodingOptions) -> None:
    """Clear speech gives the same words, decoded by speech segments or in the long form."""
    usual, _ = transcribe(engine, speech, DecodingOptions())
    other, result = transcribe(engine, speech, decoding)
    assert difference(words_of(other), words_of(usual)) < 0.1
    assert result.language is not None
    assert result.language.code == "en"


def test_silence_is_not_decoded_in_the_long_form(engine: Engine, speech: Samples) -> None:
    """The long form decodes stretches of speech, joined; times are those of the recording."""
    silence = np.zeros(20 * SAMPLE_RATE, np.float32)
    segments, _ = transcribe(
        engine, np.concatenate((silence, speech, silence, speech)), DecodingOptions(temperature=0.0)
    )
    begins = [round((segment.words[0].start - OFFSET) / SAMPLE_RATE) for segment in segments]
    assert [begin for begin in begins if begin in {20, 50}] == [20, 50]
    assert not any(begin < 20 or 30 < begin < 50 for begin in begins)
    assert transcribe(engine, silence, DecodingOptions(temperature=0.0)) == ([], WindowResult(None))


def test_doubtful_segments_are_decoded_again(engine: Engine, speech: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each doubtful speech segment is decoded in the long form, and its segments stay in order."""
    pause = np.zeros(3 * SAMPLE_RATE, np.float32)
    twice = np.concatenate((speech, pause, speech))
    clear, _ = transcribe(engine, twice, DecodingOptions())
    asked: list[int] = []

    def counted(
        whisper: object, window: Window, options: RecognitionOptions, stretches: Sequence[SpeechSegment]
    ) -> object:
        asked.append(window.offset)
        return decode_long_form(whisper, window, options, stretches)

    monkeypatch.setattr(f"{DECODER}.decode_long_form", counted)
    monkeypatch.setattr(f"{DECODER}.LOG_PROBABILITY_MIN", 1.0)
    again, _ = transcribe(engine, twice, DecodingOptions())
    assert len(asked) == len(speech_in(twice)) > 1
    assert difference(words_of(again), words_of(clear)) < 0.1
    assert all(a.end <= b.start for a, b in pairwise(again))
    assert again[0].start >= OFFSET


def test_what_is_said_three_times_is_decoded_once(
    engine: Engine, speech: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clause that is repeated at the pace of speech is kept as often, and is not decoded again."""
    monkeypatch.setattr(f"{DECODER}.SegmentDecoder._decode_again", lambda *_: pytest.fail("decoded again"))
    segments, result = transcribe(engine, np.concatenate((speech[: 4 * SAMPLE_RATE],) * 3), DecodingOptions())
    assert words_of(segments).count("secretary") == 3
    assert not result.dropped


def test_a_loop_is_decoded_in_halves(engine: Engine, speech: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment over which the decoder loops is divided until it does not; all words are there, in order."""
    clear, _ = transcribe(engine, speech, DecodingOptions())
    looping: list[int] = []

    def found(samples: Samples, *_: object) -> bool:
        if len(samples) < LOOP_SECONDS_MIN * SAMPLE_RATE:
            return False
        looping.append(len(samples))
        return True

    monkeypatch.setattr(f"{DECODER}.loops", found)
    monkeypatch.setattr(f"{DECODER}.decode_long_form", lambda *_: pytest.fail("decoded in the long form"))
    again, _ = transcribe(engine, speech, DecodingOptions())
    assert looping
    assert difference(words_of(again), words_of(clear)) < 0.2
    assert all(a.end <= b.start for a, b in pairwise(again))


def test_a_short_loop_is_decoded_without_repetitions(
    engine: Engine, speech: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop over a segment that is too short to divide is decoded once more, with repetitions forbidden."""
    samples = speech[: 4 * SAMPLE_RATE]
    clear, _ = transcribe(engine, samples, DecodingOptions())
    answers = iter([True, True, False])
    monkeypatch.setattr(f"{DECODER}.loops", lambda *_: next(answers))
    again, _ = transcribe(engine, samples, DecodingOptions())
    assert difference(words_of(again), words_of(clear)) < 0.2
    assert next(answers, None) is None


def test_a_prompt_is_not_in_the_transcript(engine: Engine, speech: Samples) -> None:
    """An initial prompt changes few words, and is not part of the text."""
    usual, _ = transcribe(engine, speech, DecodingOptions())
    prompted, _ = transcribe(engine, speech, DecodingOptions(initial_prompt="Dear friend, thank you for your letter."))
    assert difference(words_of(prompted), words_of(usual)) < 0.2
    assert "letter" not in words_of(prompted)


def test_speech_segments_are_between_pauses_and_limited(speech: Samples) -> None:
    """Speech segments are ordered, within Whisper's window, and without the silence around them."""
    silence = np.zeros(5 * SAMPLE_RATE, np.float32)
    segments = speech_in(np.concatenate((silence, speech, speech, speech, silence)))
    assert segments[0].start >= 4 * SAMPLE_RATE
    assert all(before.end <= after.start for before, after in pairwise(segments))
    assert max(segment.end - segment.start for segment in segments) <= SEGMENT_SECONDS_MAX * SAMPLE_RATE
    assert speech_in(silence) == []
