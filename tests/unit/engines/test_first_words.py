"""The beginning of speech behind silence of any length, found by voice activity detection in jobs and live sessions.

Without a reset of the detector's state and a long lead-in, the beginning of quiet speech is lost.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from faster_whisper.utils import get_assets_path

from benchmarks.shared.decoded import decoded
from deploy.local.stack import ROOT
from tiro_engines.faster_whisper.speech_segments import find_speech_segments
from tiro_engines.interface import SAMPLE_RATE, RecognitionOptions, Samples, SessionOptions
from tiro_engines.windowed.decoder import DecodedWord, DecodingContext, Hypothesis, PartialWindow
from tiro_engines.windowed.session import WindowedSession
from tiro_engines.windowed.silero import SileroModel, SileroVoiceActivity, speech_probabilities

SPEECH_SECONDS = 2
AUDIBLE = 0.02
"""The amplitude from which on a sample of the utterances is speech."""
SILENCES = (0.0, 8.1, 41.0, 180.0)
UTTERANCES = ("Thank you for", "When it hears more", "Los mensajes esperan")
"""The beginnings of utterances of three voices in two languages."""


@pytest.fixture(scope="module")
def silero() -> SileroModel:
    """The voice activity model of faster-whisper."""
    return SileroModel(Path(get_assets_path()) / "silero_vad_v6.onnx")


@pytest.fixture(scope="module", params=UTTERANCES)
def speech(request: pytest.FixtureRequest) -> Samples:
    """The first seconds of an utterance, from its first audible sample on."""
    for line in (ROOT / "samples" / "MANIFEST.jsonl").read_text(encoding="utf-8").splitlines():
        recording = json.loads(line)
        for utterance in recording["utterances"]:
            if utterance["text"].startswith(request.param):
                samples = decoded(ROOT / "samples" / recording["file"])
                samples = samples[round(utterance["start_seconds"] * SAMPLE_RATE) :]
                first = int(np.flatnonzero(np.abs(samples) >= AUDIBLE)[0])
                return samples[first : first + SPEECH_SECONDS * SAMPLE_RATE]
    raise AssertionError(f"there is no such utterance: {request.param}")


@pytest.fixture(
    scope="module",
    params=[(seconds, loudness, noise) for seconds in SILENCES for loudness, noise in ((0.01, 0.0), (0.1, 0.001))],
    ids=lambda param: f"{param[0]} s, {'faint noise' if param[2] else 'digital silence'}",
)
def recording(request: pytest.FixtureRequest, speech: Samples) -> tuple[Samples, int]:
    """Quiet speech behind digital silence, or behind faint noise; and the sample at which the speech begins."""
    seconds, loudness, noise = request.param
    begin = round(seconds * SAMPLE_RATE)
    silence = np.random.default_rng(1).normal(0, 1, begin).astype(np.float32)
    return np.concatenate((silence * np.float32(noise), speech * np.float32(loudness))), begin


def test_a_job_hears_speech_from_its_beginning(silero: SileroModel, recording: tuple[Samples, int]) -> None:
    """The first segment begins before the speech does, and not long before."""
    samples, begin = recording
    first = find_speech_segments(speech_probabilities(silero, samples), len(samples))[0]
    assert begin - 1.5 * SAMPLE_RATE <= first.start <= begin


class SilentDecoder:
    """A `WindowDecoder` that recognizes nothing."""

    seconds_max = 28.0

    def configure(self, options: RecognitionOptions) -> None:
        """Do nothing."""

    def decode_partial(self, window: PartialWindow) -> Hypothesis:
        """Return no words."""
        return Hypothesis()

    def decode_final(
        self,
        samples: Samples,
        prefix: Sequence[DecodedWord] = (),
        context: DecodingContext | None = None,
    ) -> Hypothesis:
        """Return no words."""
        return Hypothesis()


def test_a_live_session_hears_speech_from_its_beginning(silero: SileroModel, recording: tuple[Samples, int]) -> None:
    """The window of the first utterance begins before the speech does, and not long before."""
    samples, begin = recording
    session = WindowedSession(SilentDecoder(), SileroVoiceActivity(silero), SessionOptions(), 0)
    for start in range(0, len(samples), SAMPLE_RATE // 2):
        if session.advance(samples[start : start + SAMPLE_RATE // 2]):
            break
    assert begin - 1.5 * SAMPLE_RATE <= session.checkpoint_sample <= begin
