"""Recordings for the fake engine."""

import io
import wave

from tiro_transcriber.engines.fake.markers import MARKER_SAMPLES, encode
from tiro_transcriber.engines.interface import SAMPLE_RATE

_GAP_SECONDS = 0.1


def recording(seconds: float) -> bytes:
    """A WAV file of word markers, so many seconds long."""
    words = max(1, round(seconds / (MARKER_SAMPLES / SAMPLE_RATE + _GAP_SECONDS)))
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(SAMPLE_RATE)
        target.writeframes(encode(range(words)).tobytes())
    return file.getvalue()
