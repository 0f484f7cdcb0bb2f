"""Tiro with the fake engine, and a recording for it, for programs outside this environment."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.speech import wav
from tests.support.stack import Stack, running_stack
from tiro_engines.fake.markers import encode

WORDS = [f"w{number}" for number in range(60)]
"""The words of the recording."""


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Tiro with the fake engine."""
    settings = {"TIRO_ENGINE": "fake", "TIRO_DEFAULT_ENGINE": "fake"}
    with running_stack(tmp_path_factory.mktemp("stack"), settings) as running:
        yield running


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A WAV file, 16 kHz, mono, PCM16."""
    path = tmp_path_factory.mktemp("recording") / "speech.wav"
    path.write_bytes(wav(encode(range(len(WORDS)))))
    return path
