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
from tiro_engines.interface import SAMPLE_RATE, RecognitionOptions, Samples, SessionOptions, SpeechStarted
from tiro_engines.windowed.decoder import DecodedWord, DecodingContext, Hypothesis, PartialWindow
from tiro_engines.windowed.session import WindowedSession
from tiro_engines.windowed.silero import SileroModel, SileroVoiceActivity, speech_probabilities

SPEECH_SECONDS = 2
AUDIBLE = 0.02
"""The amplitude from which on a sample of the utterances is speech."""
KINDS = {
    "at the beginning": (0.0, 0.01, 0.0, False),
    "8 s of digital silence": (8.1, 0.01, 0.0, False),
    "8 s of faint noise": (8.1, 0.1, 0.001, False),
    "41 s of digital silence": (41.0, 0.01, 0.0, False),
    "41 s of faint noise": (41.0, 0.1, 0.001, False),
    "41 s of digital silence after speech": (41.0, 0.01, 0.0, True),
    "180 s of digital silence": (180.0, 0.01, 0.0, False),
}
"""Seconds before the speech, loudness of the speech, loudness of the noise, whether somebody has spoken before."""
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


@pytest.fixture(scope="module", params=KINDS.values(), ids=list(KINDS))
def recording(request: pytest.FixtureRequest, speech: Samples) -> tuple[Samples, int]:
    """Quiet speech behind silence or noise, and the sample at which the speech begins."""
    seconds, loudness, noise, spoken_before = request.param
    silence = np.random.default_rng(1).normal(0, 1, round(seconds * SAMPLE_RATE)).astype(np.float32)
    parts = [silence * np.float32(noise), speech * np.float32(loudness)]
    if spoken_before:
        parts.insert(0, speech)
    samples = np.concatenate(parts)
    return samples, len(samples) - len(speech)


def test_a_job_hears_speech_from_its_beginning(silero: SileroModel, recording: tuple[Samples, int]) -> None:
    """The segment begins before the speech does, and not long before."""
    samples, begin = recording
    segments = find_speech_segments(speech_probabilities(silero, samples), len(samples))
    starts = [segment.start for segment in segments if segment.end > begin]
    assert begin - 1.5 * SAMPLE_RATE <= starts[0] <= begin


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
    """The window of the utterance begins before the speech does, and not long before."""
    samples, begin = recording
    session = WindowedSession(SilentDecoder(), SileroVoiceActivity(silero), SessionOptions(), 0)
    for start in range(0, len(samples), SAMPLE_RATE // 2):
        updates = session.advance(samples[start : start + SAMPLE_RATE // 2])
        if any(isinstance(update, SpeechStarted) and update.at >= begin for update in updates):
            break
    assert begin - 1.5 * SAMPLE_RATE <= session.checkpoint_sample <= begin
