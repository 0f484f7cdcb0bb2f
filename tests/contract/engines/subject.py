"""The subject of the contract suite: an engine, and speech that it recognizes.

A package that brings an engine runs the suite by naming a function of its own that returns a `Subject`:

    pytest tests/contract/engines --subject package.module:function
"""

import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tiro_core.audio.pcm import pcm16_from_bytes, pcm16_to_float32
from tiro_engines.interface import Engine, EngineSession, Samples

SAMPLES = Path(__file__).parents[3] / "samples"


@dataclass(frozen=True)
class Subject:
    """An engine under test, speech for it, the transcript of that speech, and the word error rate it may have.

    The speech is about ten seconds long, with a pause of a second in it. The suite closes the engine.
    """

    engine: Engine
    speech: Samples
    transcript: str
    error_rate_max: float
    answered: Callable[[EngineSession], None] = lambda _: None
    """Waits until a session has all results for the samples that it was given."""


def dictation(engine: Engine, error_rate_max: float) -> Subject:
    """An engine with the English of `samples/dictation.wav`."""
    with wave.open(str(SAMPLES / "dictation.wav")) as recording:
        pcm = pcm16_from_bytes(recording.readframes(recording.getnframes()))
    transcript = (SAMPLES / "dictation.txt").read_text(encoding="utf-8")
    return Subject(engine, pcm16_to_float32(pcm).astype(np.float32), transcript, error_rate_max)
